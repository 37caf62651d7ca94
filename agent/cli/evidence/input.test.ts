// Files as evidence verbs read them: bounds, pipes, standard input, and errors that name the file.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { VERBS } from '#agent/cli/verbs.ts';
import { malformed } from '#attest/cursor.ts';
import { asciiList, fileEntries } from '#attest/testdata/imaEntries.ts';
import { makeKeys } from '#attest/testdata/certificate.ts';
import { parseInput, readInput } from './input.ts';

const PEM = { type: 'spki', format: 'pem' } as const;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-input-'));
  await writeFile(join(dir, 'eight'), 'bytes: 8');
  await writeFile(join(dir, 'any'), '');
  await writeFile(join(dir, 'key'), makeKeys('P-256').publicKey.export(PEM));
  execFileSync('mkfifo', [join(dir, 'pipe')]);
});
afterAll(() => rm(dir, { recursive: true }));

const input = (path: string) => ({ cwd: dir, path, what: 'event log' });

const evidence = (...argv: string[]) => callIn(dir, ['evidence', ...argv]);

it('readInput() reads at most the bytes it may', async () => {
  expect((await readInput(input('eight'), 8)).toString()).toBe('bytes: 8');
  await expect(readInput(input('eight'), 7)).rejects.toThrow(
    /event log .*eight: it is over 7 bytes/,
  );
  await expect(readInput(input('none'), 8)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  await expect(readInput(input('.'), 8)).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
});

it('readInput() says what it waits for, and reads it all the same', async () => {
  const waiting = Promise.withResolvers<string>();
  const read = readInput({ ...input('pipe'), err: waiting.resolve }, 8);
  expect(await waiting.promise).toBe(`waiting for event log ${join(dir, 'pipe')}\n`);
  await writeFile(join(dir, 'pipe'), 'late');
  expect((await read).toString()).toBe('late');
});

it('parseInput() names the file that is malformed, and leaves other errors alone', async () => {
  const refuse = (): never => {
    throw malformed('certificates', 'OpenSSL cannot read it');
  };
  await expect(parseInput(input('eight'), 8, refuse)).rejects.toMatchObject({
    code: 'EVIDENCE_MALFORMED',
    message: `Cannot read certificates: OpenSSL cannot read it (${join(dir, 'eight')})`,
  });
  const other = (): never => {
    throw new RangeError('other');
  };
  await expect(parseInput(input('eight'), 8, other)).rejects.toBeInstanceOf(RangeError);
});

it('parseInput() says that a malformed file is encoded, and how', async () => {
  await writeFile(join(dir, 'text'), `${Buffer.alloc(99, 7).toString('base64')}\n`);
  const refuse = (): never => {
    throw malformed('SNP report', '133 bytes');
  };
  await expect(parseInput(input('text'), 1024, refuse)).rejects.toThrow(
    `(${join(dir, 'text')}): it is base64: decode it first`,
  );
});

const QUOTE = ['quote', '--signature', 'any', '--pcrs', 'any', '--roots', '.'];

it.each([
  ['ccel', ['ccel', 'eight']],
  ['corim', ['corim', 'eight']],
  ['eventlog', ['eventlog', 'eight']],
  ['ek', ['ek', 'eight', '--roots', '.']],
  ['ima', ['ima', 'eight']],
  ['ima --eventlog', ['ima', 'any', '--eventlog', 'eight']],
  ['nitro', ['nitro', 'eight']],
  ['snp report', ['snp', 'eight']],
  ['snp --vek', ['snp', 'none', '--vek', 'eight']],
  ['snp --chain', ['snp', 'none', '--chain', 'eight']],
  ['snp --crl', ['snp', 'none', '--crl', 'eight']],
  ['tdx quote', ['tdx', 'eight']],
  ['tdx --ccel', ['tdx', 'none', '--ccel', 'eight']],
  ['tdx --collateral', ['tdx', 'none', '--collateral', 'eight']],
  ['ear --key', ['ear', 'none', '--key', 'eight']],
  ['quote', [...QUOTE, '--ak', 'key', '--message', 'eight']],
  ...['--ak', '--ak-cert', '--hcl'].map((flag) => {
    return [`quote ${flag}`, [...QUOTE, '--message', 'any', flag, 'eight']] as const;
  }),
] as const)('evidence %s names the file that is malformed', async (_, argv) => {
  const { exit, err } = await evidence(...argv);
  expect(err).toContain(join(dir, 'eight'));
  expect(exit).toBe(4);
});

const VERBS_OF_EVIDENCE = VERBS.filter(({ name }) => name.startsWith('evidence '));
it.each(VERBS_OF_EVIDENCE.map(({ name }) => name))('%s says what - is', async (name) => {
  const { out } = await evidence(...name.split(' ').slice(1), '--help');
  expect(out).toContain('A file named - is standard input.');
});

it('evidence reads standard input for -', async () => {
  const child = spawn(process.execPath, ['agent/main.ts', 'evidence', 'ima', '-', '-o', 'json']);
  child.stdin.end(asciiList(fileEntries(3)));
  const [out, [exit]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  expect(exit).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ kind: 'ImaEvidence', entries: 4 });
});
