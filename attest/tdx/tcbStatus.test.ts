import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ceilingOf, converge, TCB_STATUSES } from './tcbStatus.ts';

const status = fc.constantFrom(...TCB_STATUSES);

describe('converge()', () => {
  // Intel SGX DCAP quote verification library, ConvergeTcbStatus: platform, module, both.
  it.each([
    ['UpToDate', 'UpToDate', 'UpToDate'],
    ['UpToDate', 'OutOfDate', 'OutOfDate'],
    ['SWHardeningNeeded', 'OutOfDate', 'OutOfDate'],
    ['ConfigurationNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['OutOfDateConfigurationNeeded', 'OutOfDate', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationNeeded', 'UpToDate', 'ConfigurationNeeded'],
    ['SWHardeningNeeded', 'UpToDate', 'SWHardeningNeeded'],
    ['UpToDate', 'Revoked', 'Revoked'],
    ['Revoked', 'OutOfDate', 'Revoked'],
  ] as const)('of %s and %s is %s', (platform, module, both) => {
    expect(converge([platform, module])).toBe(both);
  });

  it('keeps what one alone says, and no order matters', () => {
    fc.assert(
      fc.property(status, status, status, (a, b, c) => {
        expect(converge([a])).toBe(a);
        expect(converge([a, b, c])).toBe(converge([c, converge([b, a])]));
      }),
    );
  });
});

describe('ceilingOf()', () => {
  it('affirms UpToDate, and never Revoked, whatever is accepted', () => {
    fc.assert(
      fc.property(fc.array(status), (accepted) => {
        expect(ceilingOf('UpToDate', accepted)).toBe('affirming');
        expect(ceilingOf('Revoked', accepted)).toBe('contraindicated');
      }),
    );
  });
});
