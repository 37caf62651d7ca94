import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromB64url, hex, u16 } from '#agent/base/bytes.ts';
import { fixture } from '#attest/testdata/fixture.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { noVectors, truths, vector, type QuoteTruth } from '#attest/testdata/vectors.ts';
import { parseAttest, unsizedAttest } from './attest.ts';

const message = fromB64url(fixture.evidence.quote.message);

/** The message with a field overwritten; offsets of TPMS_ATTEST with a 34-byte signer and 32-byte nonce. */
const OFFSET = { magic: 0, type: 4, safe: 92, selectionCount: 101, bank: 105 } as const;
function overwritten(offset: number, bytes: readonly number[]): Buffer {
  const copy = Buffer.from(message);
  copy.set(bytes, offset);
  return copy;
}

it('parseAttest() reads every field of a quote', () => {
  const attest = parseAttest(message);
  expect(attest.type).toBe('TPM_ST_ATTEST_QUOTE');
  expect(attest.clock.safe).toBe(true);
  expect(attest.quote?.selections).toEqual([
    { bank: expect.objectContaining({ name: 'sha256' }), pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 10, 11] },
  ]);
});

it('unsizedAttest() takes the size of a TPM2B_ATTEST away, and nothing else', () => {
  const sized = concat(u16(message.length), message);
  expect(unsizedAttest(sized)).toEqual(message);
  for (const other of [
    message,
    sized.subarray(1),
    concat(sized, Buffer.alloc(1)),
    Buffer.alloc(2),
  ]) {
    expect(unsizedAttest(other)).toBe(other);
  }
});

it('parseAttest() refuses every truncation and every byte too many', () => {
  for (let end = 0; end < message.length; end += 1) {
    expect(outcome(parseAttest, message.subarray(0, end))).toBe('malformed');
  }
  expect(() => parseAttest(concat(message, Buffer.alloc(1)))).toThrow('1 bytes follow it');
});

it.each([
  ['another magic', OFFSET.magic, [0xff, 0x54, 0x43, 0x48], 'magic ff544348'],
  ['an unknown type', OFFSET.type, [0x80, 0x30], 'unknown type 0x8030'],
  ['a "safe" that is neither yes nor no', OFFSET.safe, [2], '"safe" is 2'],
  ['an absurd number of selections', OFFSET.selectionCount, [0, 1, 0, 0], '65536 PCR selections'],
  ['an unknown bank', OFFSET.bank, [0, 0x27], 'unknown PCR bank 0x0027'],
])('parseAttest() refuses %s', (_, offset, bytes, state) => {
  expect(() => parseAttest(overwritten(offset, bytes))).toThrow(state);
});

it('parseAttest() reads GetTime as what it is, no quote', () => {
  const time = parseAttest(overwritten(OFFSET.type, [0x80, 0x19]));
  expect(time).toMatchObject({ type: 'TPM_ST_ATTEST_TIME', quote: undefined });
});

it('parseAttest() ends in one error on any bytes', () => {
  fc.assert(fc.property(hostile(message), (bytes) => void outcome(parseAttest, bytes)));
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it.each(truths<QuoteTruth>('tpm-quote', 'quote.msg'))(
    'parseAttest() agrees on %s',
    (path, truth) => {
      const { attest: expected } = truth;
      const attest = parseAttest(vector(path));
      expect({
        qualifiedSigner: hex(attest.qualifiedSigner),
        extraData: hex(attest.extraData),
        firmwareVersion: attest.firmwareVersion,
        pcrDigest: hex(attest.quote?.pcrDigest ?? Buffer.alloc(0)),
        pcrSelect: attest.quote?.selections.map(({ bank, pcrs }) => ({ alg: bank.name, pcrs })),
        clock: attest.clock,
      }).toEqual({
        qualifiedSigner: expected.qualifiedSigner,
        extraData: expected.extraData,
        firmwareVersion: expected.firmwareVersion,
        pcrDigest: expected.pcrDigest,
        pcrSelect: expected.pcrSelect,
        clock: {
          clockMs: expected.clockInfo.clock,
          resetCount: expected.clockInfo.resetCount,
          restartCount: expected.clockInfo.restartCount,
          safe: expected.clockInfo.safe === 1,
        },
      });
    },
  );
});
