import { describe, expect, it } from 'vitest';
import { fromB64url, fromHex } from '#agent/base/bytes.ts';
import { qualifyingData } from './binding.ts';
import { verifyQuote, type PcrValues, type QuoteAnswer, type QuoteQuestion } from './quote.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import {
  hasVector,
  noVectors,
  truths,
  vector,
  vectorText,
  type QuoteTruth,
} from '#attest/testdata/vectors.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { parseAttest, type TpmClock } from '#attest/tpm/attest.ts';
import { parsePublic } from '#attest/tpm/public.ts';

const { evidence } = fixture;
const challenge = { ...evidence.challenge, random: fromB64url(evidence.challenge.random) };
const question: QuoteQuestion = {
  message: fromB64url(evidence.quote.message),
  signature: fromB64url(evidence.quote.signature),
  key: parsePublic(fromB64url(evidence.akPublic)),
  qualifyingData: qualifyingData(challenge, goodRequest.expected.statementHash),
  bank: 'sha256',
  pcrs: valuesOf(evidence.pcrs),
};
const clock = parseAttest(question.message).clock;

function valuesOf(pcrs: Readonly<Record<string, string>>): PcrValues {
  return new Map(Object.entries(pcrs).map(([pcr, value]) => [Number(pcr), fromHex(value)]));
}

const failures = ({ checks }: QuoteAnswer): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);

it('verifyQuote() accepts the quote it asked for', () => {
  const answer = verifyQuote(question);
  expect(failures(answer)).toEqual([]);
  expect(answer.holds).toBe(true);
});

it('verifyQuote() refuses every byte of the message altered, and says nothing of its contents', () => {
  for (let i = 0; i < question.message.length; i += 1) {
    const answer = verifyQuote({ ...question, message: flipped(question.message, i) });
    expect(answer).toMatchObject({ holds: false, attest: undefined });
  }
});

it('verifyQuote() refuses every byte of the signature altered', () => {
  for (let i = 0; i < question.signature.length; i += 1) {
    const answer = verifyQuote({ ...question, signature: flipped(question.signature, i) });
    expect(failures(answer)).toEqual(['quote signature']);
  }
});

it('verifyQuote() refuses a replayed nonce, and a quote that nobody challenged', () => {
  const other = { ...question, qualifyingData: Buffer.alloc(32, 9) };
  expect(failures(verifyQuote(other))).toEqual(['nonce']);
  expect(failures(verifyQuote({ ...question, qualifyingData: Buffer.alloc(0) }))).toEqual([
    'nonce',
  ]);
});

it('verifyQuote() refuses a quote of other registers or another bank', () => {
  const fewer = new Map([...question.pcrs].slice(1));
  expect(failures(verifyQuote({ ...question, pcrs: fewer }))).toContain('PCR selection');
  expect(failures(verifyQuote({ ...question, bank: 'sha384' }))).toContain('PCR selection');
});

it('verifyQuote() refuses values that the TPM did not quote, in every register', () => {
  for (const [pcr, value] of question.pcrs) {
    const pcrs = new Map(question.pcrs).set(pcr, flipped(value, 31));
    expect(failures(verifyQuote({ ...question, pcrs }))).toEqual(['PCR digest']);
  }
});

it('verifyQuote() refuses values whose bytes only add up to the same digest', () => {
  const [first, second, ...rest] = question.pcrs;
  if (first === undefined || second === undefined) throw new Error('the fixture quotes ten PCRs');
  const shifted = new Map([
    [first[0], first[1].subarray(0, 31)],
    [second[0], Buffer.concat([first[1].subarray(31), second[1]])],
    ...rest,
  ]);
  expect(failures(verifyQuote({ ...question, pcrs: shifted }))).toEqual(['PCR digest']);
});

it('verifyQuote() takes the values in any order', () => {
  const pcrs = new Map([...question.pcrs].toReversed());
  expect(verifyQuote({ ...question, pcrs }).holds).toBe(true);
});

it.each<[string, Partial<TpmClock>, boolean]>([
  ['the same instant', {}, true],
  ['an earlier clock', { clockMs: clock.clockMs - 1 }, true],
  ['a later clock', { clockMs: clock.clockMs + 1 }, false],
  ['a later clock of an earlier boot', { resetCount: clock.resetCount - 1, clockMs: 1e12 }, true],
  ['a later boot', { resetCount: clock.resetCount + 1, clockMs: 0 }, false],
  ['a later restart', { restartCount: clock.restartCount + 1, clockMs: 0 }, false],
])('verifyQuote() after %s', (_, before, holds) => {
  const answer = verifyQuote({ ...question, previousClock: { ...clock, ...before } });
  expect(failures(answer)).toEqual(holds ? [] : ['TPM clock']);
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const cases = truths<QuoteTruth>('tpm-quote', 'quote.msg').filter(([path]) =>
    hasVector(path.replace('quote.msg', 'quote.sig')),
  );

  it.each(cases)('verifyQuote() judges %s as its origin does', (path, truth) => {
    const file = (name: string): string => path.replace('quote.msg', name);
    const keys = [file('ak.tpm2b_public'), file('ak.tpmt_public'), SAME_KEY];
    const [selection] = truth.attest.pcrSelect;
    const bank = (selection?.alg ?? 'sha256') as HashName;
    const banks = hasVector(file('pcrs.json'))
      ? (JSON.parse(vectorText(file('pcrs.json'))) as Record<string, Record<string, string>>)
      : {};
    const all = valuesOf(banks[bank] ?? {});
    const answer = verifyQuote({
      message: vector(path),
      signature: vector(file('quote.sig')),
      key: parsePublic(vector(keys.find(hasVector) ?? SAME_KEY)),
      qualifyingData: fromHex(vectorText(file('nonce.hex'))),
      bank,
      pcrs: new Map(selection?.pcrs.map((pcr) => [pcr, all.get(pcr) ?? Buffer.alloc(0)])),
    });
    const expected = truth.sig_valid
      ? [
          ...(truth.nonce_matches && truth.attest.extraData !== '' ? [] : ['nonce']),
          ...(truth.pcr_digest_matches === true ? [] : ['PCR digest']),
        ]
      : ['quote signature'];
    expect(failures(answer)).toEqual(expected);
  });

  it('verifyQuote() refuses a SHA-1 quote where the policy asks for SHA-256 (bank confusion)', () => {
    const directory = 'tpm-quote/swtpm-q3_sha1_only';
    const banks = JSON.parse(vectorText(`${directory}/pcrs.json`)) as {
      readonly sha256: Record<string, string>;
    };
    const pcrs = new Map([...valuesOf(banks.sha256)].filter(([pcr]) => pcr < 9));
    const answer = verifyQuote({
      message: vector(`${directory}/quote.msg`),
      signature: vector(`${directory}/quote.sig`),
      key: parsePublic(vector(`${directory}/ak.tpm2b_public`)),
      qualifyingData: fromHex(vectorText(`${directory}/nonce.hex`)),
      bank: 'sha256',
      pcrs,
    });
    expect(failures(answer)).toContain('PCR selection');
  });
});

/** The vector with a flipped signature bit was made with this key and carries no copy of it. */
const SAME_KEY = 'tpm-quote/swtpm-q1_good_sha256/ak.tpm2b_public';
