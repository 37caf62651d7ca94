// Tests of the kernel's opinion of its clock, against a second reader of it where there is one.
import { expect, test } from 'vitest';
import { kernelClock } from './timex.ts';

test('kernelClock() gives a bound that is no nonsense', () => {
  const { synchronised, maxErrorMs } = kernelClock();
  expect(maxErrorMs).toBeGreaterThan(0);
  // The kernel stops counting at 16 s and says then that nobody keeps the clock (NTP_PHASE_LIMIT).
  expect(maxErrorMs).toBeLessThanOrEqual(16_000);
  if (maxErrorMs === 16_000) expect(synchronised).toBe(false);
});
