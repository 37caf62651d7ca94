import { expect, it } from 'vitest';
import { concat, fromB64url, fromHex, hex, sha256, utf8 } from '#agent/base/bytes.ts';
import { fixture } from '#attest/testdata/fixture.ts';
import type { Tpm } from '#attest/tpm/tpm.ts';
import { qualifyingData } from './binding.ts';
import { collectEvidence, evidenceSchema, MAX_EVENT_LOG_BYTES, quoteAsRead } from './evidence.ts';

const { evidence } = fixture;
const message = fromB64url(evidence.quote.message);
const good = new Map(Object.entries(evidence.pcrs).map(([pcr, v]) => [Number(pcr), fromHex(v)]));
const pcrs = [...good.keys()];
const moved = (n: number): Map<number, Buffer> => new Map(good).set(10, Buffer.alloc(32, n));

/** A TPM whose PCR 10 moves for the first `moves` reads. */
function restless(moves: number): Tpm {
  let reads = 0;
  return {
    ekCertificate: () => Promise.resolve(fromB64url(evidence.ekCertificate)),
    ensureAk: () =>
      Promise.resolve({ publicArea: fromB64url(evidence.akPublic), name: Buffer.alloc(34) }),
    findAk: () => Promise.reject(new Error('not asked for')),
    removeAk: () => Promise.reject(new Error('not asked for')),
    readPcrs: () => Promise.resolve(reads++ < moves ? moved(reads) : good),
    quote: () => Promise.resolve({ message, signature: fromB64url(evidence.quote.signature) }),
    activateCredential: () => Promise.reject(new Error('not asked for')),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

it('qualifyingData() is the formula of PROTOCOL 2', () => {
  const [basis, random, statement] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), utf8('statement')];
  const challenge = sha256(concat(basis, random));
  expect(qualifyingData({ basis: hex(basis), random }, sha256(statement))).toEqual(
    sha256(concat(utf8('tidelock/evidence/v1'), challenge, sha256(statement))),
  );
});

it('quoteAsRead() reads again when a PCR moved between read and quote', async () => {
  const { values } = await quoteAsRead(restless(5), 'sha256', pcrs, Buffer.alloc(32));
  expect(values).toEqual(good);
});

it('quoteAsRead() gives up on a PCR that never rests, and names it', async () => {
  const quoting = quoteAsRead(restless(Infinity), 'sha256', pcrs, Buffer.alloc(32));
  await expect(quoting).rejects.toMatchObject({
    code: 'EVIDENCE_UNSTABLE',
    retryable: true,
    hint: expect.stringContaining('Moving: PCR 10.') as string,
  });
});

const collecting = (log: Buffer, tpm = restless(0)) =>
  collectEvidence({
    tpm,
    statement: fromB64url(evidence.statement),
    challenge: { ...evidence.challenge, random: fromB64url(evidence.challenge.random) },
    bank: 'sha256',
    pcrs,
    eventLog: () => Promise.resolve(log),
  });

it('collectEvidence() gives evidence that fits its own schema', async () => {
  const collected = await collecting(fromB64url(evidence.eventLog));
  expect(collected).toEqual(evidence);
  expect(evidenceSchema.parse(JSON.parse(JSON.stringify(collected)))).toEqual(collected);
});

it('collectEvidence() takes a log of the largest size, and refuses a byte more', async () => {
  const largest = await collecting(Buffer.alloc(MAX_EVENT_LOG_BYTES));
  expect(evidenceSchema.safeParse(largest).success).toBe(true);
  await expect(collecting(Buffer.alloc(MAX_EVENT_LOG_BYTES + 1))).rejects.toMatchObject({
    code: 'EVENTLOG_TOO_LARGE',
  });
});

it.each<[string, object]>([
  ['a log over the limit', { eventLog: 'A'.repeat(700_000) }],
  ['a statement over the limit', { statement: 'A'.repeat(20_000) }],
  ['a basis that is no hash', { challenge: { ...evidence.challenge, basis: 'zz' } }],
  ['a register that no TPM has', { pcrs: { 24: 'ab'.repeat(32) } }],
  ['a quote in SHA-1', { bank: 'sha1' }],
  ['an unknown field', { claims: {} }],
])('evidenceSchema refuses %s', (_, change) => {
  expect(evidenceSchema.safeParse({ ...evidence, ...change }).success).toBe(false);
});
