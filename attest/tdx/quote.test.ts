import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { MR_TD, REPORT_DATA, tdxQuote } from '#attest/testdata/tdx.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { MAX_QUOTE_BYTES, parseTdxQuote } from './quote.ts';

const refusal = (bytes: Uint8Array): string => {
  try {
    parseTdxQuote(bytes);
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return 'it was read';
};

describe('parseTdxQuote()', () => {
  it.each([
    ['version 4', {}, undefined, false],
    ['version 5 with a TDX 1.0 body', { version: 5, bodyType: 2 }, 2, false],
    ['version 5 with a TDX 1.5 body', { version: 5, bodyType: 3 }, 3, true],
    ['version 5 with an extended TDX 1.5 body', { version: 5, bodyType: 4 }, 4, true],
  ] as const)('reads %s', (_, spec, bodyType, hasLater) => {
    const quote = parseTdxQuote(tdxQuote(spec));
    expect(quote.bodyType).toBe(bodyType);
    expect(quote.report.mrTd).toEqual(MR_TD);
    expect(quote.report.reportData).toEqual(REPORT_DATA);
    expect(quote.report.later !== undefined).toBe(hasLater);
    expect(quote.certification.report).toMatchObject({ isvSvn: 7, isvProdId: 2 });
    expect(quote.certification.pckChain).toContain('BEGIN CERTIFICATE');
  });

  it('reports bytes after the quote and leaves them alone', () => {
    const padded = Buffer.concat([tdxQuote(), Buffer.alloc(3065, 0xff)]);
    expect(parseTdxQuote(padded)).toMatchObject({ trailingBytes: 3065 });
  });

  it.each([
    ['another version', { version: 6 }, 'version 6'],
    ['SGX quotes of version 3', { version: 3, teeType: 0 }, 'SGX enclave'],
    ['SGX quotes of version 4', { teeType: 0 }, 'SGX enclave'],
    ['SGX quotes of version 5', { version: 5, teeType: 0 }, 'SGX enclave'],
    ['other kinds of TEE', { teeType: 0x82 }, '0x82'],
    ['other kinds of key', { attKeyType: 3 }, 'attestation key type 3'],
  ])('refuses %s', (_, spec, text) => {
    expect(refusal(tdxQuote(spec))).toContain(text);
  });

  it.each([
    [1, 384, 'SGX enclave'],
    [3, 584, 'has 648 bytes, not 584'],
    [7, 648, 'body type 7'],
  ])('refuses body type %i of %i bytes', (type, size, text) => {
    const bytes = tdxQuote({ version: 5 });
    bytes.writeUInt16LE(type, 48);
    bytes.writeUInt32LE(size, 50);
    expect(refusal(bytes)).toContain(text);
  });

  it('refuses another kind of outer certification data', () => {
    const bytes = tdxQuote();
    bytes.writeUInt16LE(5, 48 + 584 + 4 + 128);
    expect(refusal(bytes)).toContain('type 5, not 6');
  });

  it('keeps a certification that names the PCK instead of carrying it', () => {
    const { certification } = parseTdxQuote(tdxQuote({ certificationType: 3 }));
    expect(certification).toMatchObject({ kind: 3, pckChain: undefined });
  });

  it('refuses every truncation', () => {
    const whole = tdxQuote({ version: 5 });
    for (let length = 0; length < whole.length; length += 1) {
      expect(outcome(parseTdxQuote, whole.subarray(0, length))).toBe('malformed');
    }
  });

  it('refuses a quote of absurd size, and none up to it', () => {
    const padded = Buffer.concat([tdxQuote(), Buffer.alloc(MAX_QUOTE_BYTES)]);
    expect(refusal(padded)).toContain('bytes');
    expect(refusal(padded.subarray(0, MAX_QUOTE_BYTES))).toBe('it was read');
  });

  it('ends in a quote or EVIDENCE_MALFORMED, whatever the bytes', () => {
    const samples = fc.constantFrom(tdxQuote(), tdxQuote({ version: 5 }));
    const bytes = samples.chain(hostile);
    fc.assert(fc.property(bytes, (input) => void outcome(parseTdxQuote, input)));
  });

  it.skipIf(noVectors !== undefined)('refuses the truncated quote of the vectors', () => {
    expect(outcome(parseTdxQuote, vector('tdx/neg_truncated.dat'))).toBe('malformed');
  });
});
