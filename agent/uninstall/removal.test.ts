// Tests of removing traces: in order, none stopping another, owner keys never.
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { Config } from '#agent/config.ts';
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { writeOwner } from '#agent/owner.ts';
import { fileTraces } from './files.ts';
import { mountedNamespaces } from './namespaces.ts';
import { removeTraces } from './removal.ts';
import { tracesText } from './text.ts';
import { unknownTrace, type Trace } from './trace.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-uninstall-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const trace = (over: Partial<Trace>): Trace => ({
  kind: 'file',
  what: 'thing',
  where: 'place',
  presence: 'there',
  remove: () => Promise.resolve(),
  ...over,
});

describe('removeTraces()', () => {
  test('removeTraces() removes what is there, in order, and goes on after a failure', async () => {
    const gone: string[] = [];
    const removing = (where: string, work = Promise.resolve()): Trace =>
      trace({ where, remove: () => work.then(() => void gone.push(where)) });
    const outcomes = await removeTraces(
      [
        removing('a'),
        trace({ where: 'b', presence: 'absent', remove: () => Promise.reject(new Error('asked')) }),
        removing('c', Promise.reject(new Error('busy'))),
        unknownTrace({ kind: 'tpm key', what: 'key', where: 'd' }, 'no TPM'),
        removing('e'),
      ],
      { keepState: false },
    );
    expect(gone).toEqual(['a', 'e']);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      'removed',
      'was not there',
      'not removed',
      'not removed',
      'removed',
    ]);
    expect(outcomes[2]?.problem).toContain('busy');
    expect(outcomes[3]?.problem).toBe('no TPM');
  });

  test('removeTraces() keeps what would be lost when told to', async () => {
    const state = trace({ loses: 'much', remove: () => Promise.reject(new Error('asked')) });
    const [kept] = await removeTraces([state], { keepState: true });
    expect(kept?.outcome).toBe('kept');
  });
});

describe('fileTraces()', () => {
  const config = () =>
    ({
      attestation: { enrolmentFile: join(dir, 'state', 'enrolment', 'enrolment.json') },
      api: { controlSocket: join(dir, 'run', 'control.sock') },
      paths: { stateDir: join(dir, 'state'), runDir: join(dir, 'run') },
    }) as Pick<Config, 'attestation' | 'api' | 'paths'>;
  const removeAll = async () => removeTraces(await fileTraces(config()), { keepState: false });
  const there = async () =>
    (await fileTraces(config())).filter(({ presence }) => presence !== 'absent');

  test('fileTraces() lists everything that may be there where nothing is', async () => {
    const traces = await fileTraces(config());
    expect(traces.map(({ where }) => where.slice(dir.length + 1))).toEqual([
      'run/control.sock',
      'run',
      'state/enrolment',
      'state/revocations',
      'state/cache',
      'state/audit',
      'state/reports',
      'state',
    ]);
    expect(await there()).toEqual([]);
  });

  test('fileTraces() removes all of it, and the directories that are empty then', async () => {
    await mkdir(join(dir, 'run', 'tpm', 'tpm-abc'), { recursive: true });
    await mkdir(join(dir, 'state', 'enrolment'), { recursive: true });
    await writeFile(join(dir, 'state', 'enrolment', 'enrolment.json'), '{}');
    const server = createServer().listen(join(dir, 'run', 'plane.sock'));
    await once(server, 'listening');
    expect((await there()).map(({ where }) => where.slice(dir.length + 1))).toEqual([
      'run/plane.sock',
      'run/tpm',
      'state/enrolment',
    ]);
    await removeAll();
    server.close();
    expect(await readdir(dir)).toEqual([]);
    expect(await there()).toEqual([]);
  });

  test('fileTraces() removes nothing from directories that others use', async () => {
    const paths = { stateDir: '/var', runDir: '/run' };
    const traces = await fileTraces({ ...config(), paths });
    expect(traces.map(({ where, presence }) => [where, presence])).toEqual([
      ['/var', 'unknown'],
      ['/run', 'unknown'],
    ]);
  });

  test('fileTraces() leaves what tidelock did not make', async () => {
    await mkdir(join(dir, 'run'));
    await writeFile(join(dir, 'run', 'notes.txt'), '');
    await removeAll();
    expect(await readdir(join(dir, 'run'))).toEqual(['notes.txt']);
    expect(await there()).toEqual([]);
  });

  test('fileTraces() never removes a directory with an owner’s key below it', async () => {
    const deep = join(dir, 'state', 'cache', 'deep');
    await writeOwner(join(deep, 'any.name'), join(deep, 'any.pub'), generateSigningKey());
    const outcomes = await removeAll();
    const refused = outcomes.filter(({ problem }) => problem !== undefined);
    expect(refused.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('any.name in it is the key of an owner'),
    ]);
    expect((await readdir(deep)).sort()).toEqual(['any.name', 'any.pub']);
    expect(await there()).toMatchObject([{ where: join(dir, 'state', 'cache') }]);
  });

  test('fileTraces() removes a directory with an owner’s public key, which is no secret', async () => {
    const cache = join(dir, 'state', 'cache');
    await writeOwner(join(dir, 'owner.key'), join(cache, 'owner.pub'), generateSigningKey());
    await removeAll();
    expect(await readdir(dir)).toEqual(['owner.key']);
  });
});

test('tidelock uninstall proves nothing to a user who cannot look', async () => {
  const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
  let err = '';
  const terminal = {
    out: () => undefined,
    err: (text: string) => void (err += text),
    env: {},
    cwd: dir,
    stopSignal: () => new AbortController().signal,
  };
  try {
    expect(await runCommandLine(['uninstall', '--verify', '--dry-run'], terminal)).toBe(6);
  } finally {
    getuid.mockRestore();
  }
  expect(err).toMatch(/^error ROOT_REQUIRED: /);
});

test('mountedNamespaces() reads the namespaces that mounts hold', () => {
  const mountinfo = `22 27 0:21 / /proc rw,nosuid - proc proc rw
97 25 0:4 net:[4026532281] /run/netns/pod rw shared:50 - nsfs nsfs rw
98 25 0:4 mnt:[4026532282] /run/other rw shared:51 - nsfs nsfs rw`;
  expect([...mountedNamespaces(mountinfo)]).toEqual([['net:[4026532281]', '/run/netns/pod']]);
});

test('tracesText() says what is there, and why where it is not known', () => {
  const traces = [
    trace({ what: 'rules', presence: 'there' }),
    unknownTrace({ kind: 'tpm key', what: 'key', where: '0x81010100' }, 'no TPM'),
  ];
  expect(tracesText(traces).split('\n')).toEqual([
    'there    rules  place',
    'unknown  key    0x81010100  (no TPM)',
  ]);
});
