// A report says what its node's TPM said, to somebody who was not there: made by real agents, verified
// as an auditor would, changed in every way, and withheld by a node that was tampered with.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { MAX_REPORT_BYTES } from '#attest/reportOpen.ts';
import { eventually, report as measured, twoNodes, type TwoNodes } from './twoNodes.ts';

const RENEW_SECONDS = 10;
const PCR = 7;

interface Verification {
  readonly verdict: string;
  readonly node?: { readonly name: string };
  readonly error?: { readonly code: string; readonly hint: string };
  readonly checks: readonly {
    readonly name: string;
    readonly result: string;
    readonly text: string;
  }[];
}

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({ pods: [], renewSeconds: RENEW_SECONDS });
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

async function tidelock(...argv: string[]) {
  let out = '';
  let err = '';
  const exit = await runCommandLine(argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    cwd: both.rig.dir,
    stopSignal: () => new AbortController().signal,
  });
  return { exit, out, err };
}

const runDir = (node: string): string => `${both.rig.node(node).dir}/run`;
const trust = (): string[] => ['--owner', 'owner/owner.pub', '--roots', both.rig.ca.rootsDir];

async function verify(file: string, ...argv: string[]) {
  const { exit, out } = await tidelock('verify', file, ...argv, '-o', 'json');
  return { exit, ...(JSON.parse(out) as Verification) };
}

test.each(['node-a', 'node-b'])('a report of %s is affirming offline, at once', async (node) => {
  const written = await tidelock('report', '--run-dir', runDir(node), '--out', `${node}.json`);
  expect(written).toMatchObject({ exit: 0, err: '' });
  measured(`${node}: a report of ${readFileSync(`${both.rig.dir}/${node}.json`).length} bytes`);
  const { exit, verdict, checks, ...rest } = await verify(
    `${node}.json`,
    ...trust(),
    '--at',
    'now',
  );
  expect(checks.filter(({ result }) => result === 'fail')).toEqual([]);
  expect({ exit, verdict, node: rest.node?.name }).toEqual({ exit: 0, verdict: 'affirming', node });
  expect(checks.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['AK belongs to EK', 'EK certificate chain', 'freshness', 'IMA']),
  );
});

test('without an owner the same report is not affirming, and says why', async () => {
  const { exit, verdict, checks } = await verify('node-a.json');
  expect({ exit, verdict }).toEqual({ exit: 3, verdict: 'none' });
  expect(checks.find(({ name }) => name === 'AK belongs to EK')?.result).toBe('not checked');
});

test('a report with any byte changed is not affirming, and the reason has a code', async () => {
  const bytes = readFileSync(`${both.rig.dir}/node-a.json`);
  const codes = new Map<string, number>();
  for (let i = 0; i < bytes.length; i += 97) {
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
    writeFileSync(`${both.rig.dir}/changed.json`, changed);
    const { exit, error } = await verify('changed.json', ...trust());
    const code = `${exit} ${error?.code}`;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  measured(`byte flips: ${[...codes].map(([code, count]) => `${code}: ${count}`).join(', ')}`);
  for (const code of codes.keys()) {
    expect(['3 SIGNATURE_INVALID', '4 DOCUMENT_MALFORMED']).toContain(code);
  }
  expect(codes.get('4 DOCUMENT_MALFORMED') ?? 0).toBeLessThan(3); // the kind of the document
});

test('an agent leaves a report on disk at each attestation, each of which verifies', async () => {
  const directory = `${both.rig.node('node-b').dir}/state/reports`;
  const { value: files } = await eventually(
    'two reports',
    async () => {
      const found = readdirSync(directory).filter((name) => name.endsWith('Z.json'));
      return found.length > 1 ? found : undefined;
    },
    60_000,
  );
  for (const file of files) {
    expect(readFileSync(`${directory}/${file}`).length).toBeLessThan(MAX_REPORT_BYTES);
    expect((await verify(`${directory}/${file}`, ...trust())).verdict).toBe('affirming');
  }
});

test('a page of the running agent says the verdict and fetches nothing', async () => {
  const { exit, out } = await tidelock('report', '--html', '--run-dir', runDir('node-a'));
  expect(exit).toBe(0);
  expect(out).toContain('<strong>✓ Affirming</strong>');
  expect(out).not.toMatch(/<script|\bsrc=|\bhref=/);
});

test('a node that was tampered with gives no report until it is good again', async () => {
  const { tpm } = both.rig.node('node-a');
  const ask = () => tidelock('report', '--run-dir', runDir('node-a'), '-o', 'json');
  await tpm.extend(PCR, Buffer.from('rootkit'));
  const refused = await eventually(
    'no report',
    async () => {
      const answer = await ask();
      return answer.exit === 0 ? undefined : answer;
    },
    60_000,
  );
  expect(refused.value.exit).toBe(3);
  expect(JSON.parse(refused.value.out)).toMatchObject({ error: { code: 'REPORT_UNAVAILABLE' } });
  const { verdict, checks } = await verify('node-a.json', ...trust(), '--at', later());
  expect(verdict).toBe('none');
  expect(checks.find(({ name }) => name === 'freshness')?.result).toBe('fail');
});

/** Past the lifetime of every attestation made here. */
const later = (): string => new Date(Date.now() + 86_400_000).toISOString();
