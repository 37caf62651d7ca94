// Against a real software TPM: the verbs, what they leave behind, and a TPM that goes away.
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fromHex, hex } from '#agent/base/bytes.ts';
import { run } from '#agent/base/run.ts';
import { makeCredential } from '#attest/credential.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import { verifyQuote } from '#attest/quote.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { createSwtpm, type Swtpm } from '#attest/testdata/swtpm.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { activateCredential } from './activate.ts';
import { createEk } from './createek.ts';
import { parsePublic } from './public.ts';
import { flushTransient, openSequences } from './sequence.ts';
import { EK_TEMPLATES, ekKeyOf } from './templates.ts';
import { DEFAULT_AK_HANDLE, openTpm, type Tpm } from './tpm.ts';

let dir = '';
let swtpm: Swtpm;
let tpm: Tpm;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-tpm-'));
  swtpm = await createSwtpm(dir);
  await swtpm.measure(BOOT);
  tpm = open();
});

afterAll(async () => {
  await tpm[Symbol.asyncDispose]();
  await swtpm[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

const workDir = (): string => join(dir, 'work');
const open = (akHandle = DEFAULT_AK_HANDLE): Tpm =>
  openTpm({ tcti: swtpm.tcti, run, workDir: workDir(), akHandle });

/** Handles loaded in the TPM: transient objects and sessions, loaded or saved. */
async function loaded(): Promise<string[]> {
  const kinds = ['handles-transient', 'handles-loaded-session', 'handles-saved-session'];
  const listed: string[] = [];
  for (const kind of kinds) listed.push(...String(await swtpm.tool('getcap', kind)).split('\n'));
  return listed.filter(Boolean);
}

const PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11];

/** TPM2_StartAuthSession (Part 3 11.1): unbound and unsalted HMAC, nonce of 16 bytes, no cipher, SHA-256. */
const START_SESSION = fromHex(
  `8001 0000002b 00000176 40000007 40000007 0010 ${'11'.repeat(16)} 0000 00 0010 000b`.replaceAll(
    ' ',
    '',
  ),
);

/** A verified quote over values read just before. */
async function quoteRound(from: Tpm): Promise<void> {
  const nonce = randomBytes(32);
  const key = parsePublic((await from.ensureAk()).publicArea);
  const pcrs = await from.readPcrs('sha256', PCRS);
  const quote = await from.quote({ bank: 'sha256', pcrs: PCRS, qualifyingData: nonce });
  const answer = verifyQuote({ ...quote, key, qualifyingData: nonce, bank: 'sha256', pcrs });
  expect(answer.checks.filter(({ result }) => result === 'fail')).toEqual([]);
}

it('ekCertificate() reads the certificate, which carries the EK that the TPM holds', async () => {
  const { x509 } = parseEkCertificate(await tpm.ekCertificate());
  const file = join(dir, 'ek.pub');
  await swtpm.tool('readpublic', '-c', '0x81010001', '-f', 'tss', '-o', file);
  const ek = parsePublic((await run(['cat', file])).stdout);
  expect(ek.key.equals(x509.publicKey)).toBe(true);
});

it('ensureAk() makes the key once and finds it after a restart of TPM and agent', async () => {
  const made = await tpm.ensureAk();
  await swtpm.stop();
  await swtpm.start();
  await swtpm.measure(BOOT);
  await using later = open();
  expect(await later.ensureAk()).toEqual(made);
});

it('findAk() makes no key, and removeAk() leaves none', async () => {
  await using other = open(0x8101_0300);
  expect(await other.findAk()).toBeUndefined();
  const made = await other.ensureAk();
  expect(await other.findAk()).toEqual(made);
  await other.removeAk();
  await other.removeAk();
  expect(await other.findAk()).toBeUndefined();
  expect(await other.ensureAk()).toEqual(made); // a primary of the same seed
  await other.removeAk();
});

it('ensureAk() refuses a key at its handle that could sign anything', async () => {
  const file = (name: string): string => join(dir, name);
  await swtpm.tool('createprimary', '-C', 'o', '-c', file('primary.ctx'));
  const parts = ['-u', file('any.pub'), '-r', file('any.priv')];
  const unrestricted = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign';
  await swtpm.tool('create', '-C', file('primary.ctx'), '-G', 'ecc', '-a', unrestricted, ...parts);
  await swtpm.tool('flushcontext', '-t');
  await swtpm.tool('load', '-C', file('primary.ctx'), ...parts, '-c', file('any.ctx'));
  await swtpm.tool('evictcontrol', '-C', 'o', '-c', file('any.ctx'), '0x81010200');
  await swtpm.tool('flushcontext', '-t');
  await using other = open(0x8101_0200);
  await expect(other.ensureAk()).rejects.toMatchObject({
    code: 'TPM_AK_UNFIT',
    message: 'Cannot use the object at 0x81010200 as attestation key: not restricted, noDA',
  });
});

it('readPcrs() reads what the event log replays to, in every bank', async () => {
  for (const bank of ['sha1', 'sha256', 'sha384'] as const) {
    const expected = replay(parseEventLog(writeEventLog(BOOT, [bank])), bank);
    expect(await tpm.readPcrs(bank, [...expected.keys()])).toEqual(expected);
  }
});

it('readPcrs() says that a bank is inactive', async () => {
  await expect(tpm.readPcrs('sha512', [0])).rejects.toMatchObject({ code: 'TPM_BANK_INACTIVE' });
});

it('quote() gives what verifyQuote() accepts', async () => {
  await quoteRound(tpm);
});

it('activateCredential() recovers what makeCredential() made for the certified EK', async () => {
  const key = ekKeyOf(parseEkCertificate(await tpm.ekCertificate()).x509.publicKey);
  if (key === undefined) throw new Error('swtpm certifies a key of the TCG templates');
  const { name } = await tpm.ensureAk();
  const secret = randomBytes(32);
  expect(await tpm.activateCredential(makeCredential(key, name, secret))).toEqual(secret);
});

it.each(EK_TEMPLATES)('activateCredential() works with the $name template', async ({ name }) => {
  await tpm.ensureAk();
  await using queue = openSequences({ tcti: swtpm.tcti, run, workDir: workDir() });
  const area = await queue.run(async (sequence) => {
    const context = await createEk(sequence, name);
    const file = sequence.path('public');
    await sequence.tool('readpublic', '-c', context, '-f', 'tss', '-o', file);
    await sequence.tool('flushcontext', '-t');
    return (await run(['cat', file])).stdout;
  });
  const ek = parsePublic(area);
  const template = ekKeyOf(ek.key);
  expect(template).toMatchObject({ nameAlg: ek.nameAlg, aesBits: ek.aesBits });
  if (template === undefined) throw new Error('the template stands for its own key');
  const secret = randomBytes(32);
  const credential = makeCredential(template, (await tpm.ensureAk()).name, secret);
  const recovered = await queue.run((sequence) =>
    activateCredential(sequence, DEFAULT_AK_HANDLE, name, credential),
  );
  expect(hex(recovered)).toBe(hex(secret));
});

it('activateCredential() fails for a key with another Name, and leaves nothing loaded', async () => {
  const key = ekKeyOf(parseEkCertificate(await tpm.ekCertificate()).x509.publicKey);
  if (key === undefined) throw new Error('swtpm certifies a key of the TCG templates');
  const foreign = makeCredential(key, Buffer.alloc(34, 1), randomBytes(32));
  await expect(tpm.activateCredential(foreign)).rejects.toMatchObject({
    code: 'TPM_COMMAND',
    response: { name: 'TPM_RC_INTEGRITY', command: 'ActivateCredential' },
  });
  expect(await loaded()).toEqual([]);
});

it('a TPM that is away is unreachable, and found again by the next call', async () => {
  await swtpm.stop();
  const away = expect.objectContaining({ code: 'TPM_UNREACHABLE', retryable: true }) as Error;
  await expect(tpm.readPcrs('sha256', [0])).rejects.toThrow(away);
  await expect(tpm.ensureAk()).rejects.toThrow(away);
  await swtpm.start();
  await swtpm.measure(BOOT);
  await quoteRound(tpm);
});

it('a TPM reset in the middle of a sequence is survived: its contexts die, it starts again', async () => {
  await using queue = openSequences({ tcti: swtpm.tcti, run, workDir: workDir() });
  let attempts = 0;
  const area = await queue.run(async (sequence) => {
    const context = await createEk(sequence, 'ECC P-256');
    attempts += 1;
    if (attempts === 1) {
      await swtpm.stop();
      await swtpm.start();
      await swtpm.measure(BOOT);
    }
    return sequence.tool('readpublic', '-c', context);
  });
  await queue.run(flushTransient);
  expect(attempts).toBe(2);
  expect(String(area)).toContain('fixedtpm');
});

it('sessions that killed clients left in every slot are in nobody’s way', async () => {
  const file = join(dir, 'start');
  await writeFile(file, START_SESSION);
  for (let slot = 0; slot < 3; slot += 1) await swtpm.tool('send', file);
  await expect(swtpm.tool('send', file)).resolves.toEqual(fromHex('80010000000a00000903'));
  await using queue = openSequences({ tcti: swtpm.tcti, run, workDir: workDir() });
  await queue.run(async (sequence) => {
    const session = sequence.path('session');
    await sequence.tool('startauthsession', '--policy-session', '-S', session);
    await sequence.tool('flushcontext', session);
  });
  expect(await loaded()).toEqual([]);
});

it('a TPM that was cleared fails once and then has its key again', async () => {
  const before = await tpm.ensureAk();
  await swtpm.tool('clear', '-c', 'p');
  await expect(
    tpm.quote({ bank: 'sha256', pcrs: PCRS, qualifyingData: randomBytes(32) }),
  ).rejects.toMatchObject({ response: { name: 'TPM_RC_HANDLE' } });
  expect(await tpm.ensureAk()).toEqual(before);
  await quoteRound(tpm);
});

it('100 rounds leave no object, session or file behind', async () => {
  for (let round = 0; round < 100; round += 1) await quoteRound(tpm);
  expect(await loaded()).toEqual([]);
  expect(await readdir(workDir())).toEqual([]);
});

it('calls made at once take turns', async () => {
  await Promise.all(Array.from({ length: 8 }, () => quoteRound(tpm)));
  expect(await loaded()).toEqual([]);
});
