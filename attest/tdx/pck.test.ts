import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { FMSPC, pck, tdxRoot } from '#attest/testdata/tdx.ts';
import { pckPlatform } from './pck.ts';

describe('pckPlatform()', () => {
  it('reads what Intel wrote about the processor', () => {
    const components = Array.from({ length: 16 }, (_, index) => (index === 0 ? 200 : index));
    expect(pckPlatform(pck({ components, pceSvn: 40_000 }).der)).toEqual({
      ppid: 'ab'.repeat(16),
      fmspc: FMSPC,
      pceId: '0000',
      components,
      pceSvn: 40_000,
    });
  });

  it('refuses a certificate that is no PCK', () => {
    expect(outcome(pckPlatform, tdxRoot.der)).toBe('malformed');
  });

  it('refuses an SVN out of range, and a component too few', () => {
    const components = [256, ...Array.from({ length: 15 }, () => 0)];
    expect(outcome(pckPlatform, pck({ components }).der)).toBe('malformed');
    expect(outcome(pckPlatform, pck({ components: components.slice(4) }).der)).toBe('malformed');
    const huge = [Number.MAX_SAFE_INTEGER, ...components.slice(1)];
    expect(outcome(pckPlatform, pck({ components: huge }).der)).toBe('malformed');
  });

  it('ends in a platform or EVIDENCE_MALFORMED, whatever the bytes', () => {
    fc.assert(fc.property(hostile(pck().der), (bytes) => void outcome(pckPlatform, bytes)));
  });
});
