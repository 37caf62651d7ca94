// Tests of policies in files: directories, several documents, problems, change while running.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { systemClock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { CompiledPolicy } from '#proxy/policy.ts';
import { openPolicyFiles, readPolicies } from './files.ts';

const WEB = 'spiffe://example.org/demo/shop/web';
const DB = 'spiffe://example.org/demo/shop/db';
const manifest = (name: string, spec: object = {}) => ({
  apiVersion: 'tidelock/v1',
  kind: 'ServiceAccessPolicy',
  metadata: { name },
  spec,
});
const rule = { name: 'db', from: { spiffe: WEB }, to: [{ spiffe: DB, ports: [5432] }] };

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-policy-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function put(name: string, content: object | string): Promise<string> {
  const file = join(dir, name);
  await writeFile(`${file}~`, typeof content === 'string' ? content : stringify(content));
  await rename(`${file}~`, file);
  return file;
}

async function problemsOf(files: readonly string[]): Promise<string> {
  const error = await readPolicies(files).catch((thrown: unknown) => thrown);
  if (!(error instanceof TidelockError)) throw new Error('it was accepted');
  expect(error).toMatchObject({ code: 'POLICY_INVALID', exitCode: 2 });
  return error.message;
}

describe('readPolicies()', () => {
  it('readPolicies() reads files, and directories in order, hidden entries aside', async () => {
    const single = await put(
      'single',
      `${stringify(manifest('s1'))}---\n${stringify(manifest('s2'))}---\n`,
    );
    const sub = join(dir, 'policies');
    await mkdir(join(sub, '..data'), { recursive: true });
    for (const name of ['b.yaml', 'a.json', '.hidden.yaml', 'README.md']) {
      await writeFile(join(sub, name), JSON.stringify(manifest(name.slice(0, 1))));
    }
    const policies = await readPolicies([sub, single]);
    expect(policies.map((policy) => policy.metadata.name)).toEqual(['a', 'b', 's1', 's2']);
  });

  it.each<[string, object, RegExp]>([
    ['another kind', { ...manifest('p'), kind: 'Policy' }, /must be ServiceAccessPolicy/],
    ['an unknown version', { ...manifest('p'), apiVersion: 'v1' }, /must be tidelock\/v1/],
    ['a misspelt key', manifest('p', { rule: [] }), /did you mean rules/],
    ['a misspelt action', manifest('p', { defaultAction: 'deny' }), /DENY or ALLOW/],
    [
      'a rule without destination',
      manifest('p', { rules: [{ ...rule, to: [] }] }),
      /one destination/,
    ],
    [
      'an empty list of ports',
      manifest('p', { rules: [{ ...rule, to: [{ spiffe: DB, ports: [] }] }] }),
      /leave ports out/,
    ],
    [
      'port 0',
      manifest('p', { rules: [{ ...rule, to: [{ spiffe: DB, ports: [0] }] }] }),
      /ports\.0 is 0/,
    ],
    [
      'a star inside',
      manifest('p', { rules: [{ ...rule, from: { spiffe: 'spiffe://e/*/x' } }] }),
      /ends in/,
    ],
    ['a bare star', manifest('p', { rules: [{ ...rule, from: { spiffe: '*' } }] }), /SPIFFE ID/],
    ['a rule name twice', manifest('p', { rules: [rule, rule] }), /one rule only/],
    [
      'a rule name that looks like a place',
      manifest('p', { rules: [{ ...rule, name: '1' }] }),
      /letter/,
    ],
  ])('readPolicies() refuses %s', async (_what, content, why) => {
    expect(await problemsOf([await put('p.yaml', content)])).toMatch(why);
  });

  it('readPolicies() reports the problems of all files at once, a name used twice among them', async () => {
    const message = await problemsOf([
      await put('a.yaml', manifest('p')),
      await put('b.yaml', manifest('p')),
      await put('c.yaml', 'a: ['),
      await put('d.yaml', { ...manifest('q'), spec: 5 }),
      join(dir, 'none.yaml'),
    ]);
    for (const part of [
      'b.yaml:4:9: metadata.name is p, as at',
      'c.yaml:1',
      'd.yaml:5',
      'none.yaml',
    ]) {
      expect(message).toContain(part);
    }
  });
});

describe('openPolicyFiles()', () => {
  it('openPolicyFiles() raises the version with the meaning and keeps the last good policy', async () => {
    await put('p.yaml', manifest('p'));
    const broken = Promise.withResolvers<TidelockError>();
    const live = await openPolicyFiles({
      files: [dir],
      mode: 'enforce',
      clock: systemClock,
      report: (problem) => problem && broken.resolve(problem),
    });
    try {
      const first = live.value();
      expect(first).toMatchObject({ defaultAction: 'DENY', rules: [] });
      const changed = Promise.withResolvers<CompiledPolicy>();
      live.onChange((policy) => changed.resolve(policy));
      await put('q.yaml', manifest('q', { rules: [rule] }));
      const second = await changed.promise;
      expect(second.version).toBeGreaterThan(first.version);
      expect(second.rules).toEqual([{ name: 'q/db', from: WEB, to: DB, ports: [5432] }]);
      await put('q.yaml', 'spec: [');
      expect(await broken.promise).toMatchObject({ code: 'POLICY_INVALID' });
      expect(live.value()).toBe(second);
    } finally {
      live.close();
    }
  });
});
