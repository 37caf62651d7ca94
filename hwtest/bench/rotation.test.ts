import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { LONG_PERIOD_MS, untilQuietMs } from './rotation.ts';

it('untilQuietMs() waits no longer than it must, for a time in which no slot ends', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 24_000 }), (nowMs, forMs) => {
      const startMs = nowMs + untilQuietMs(nowMs, forMs);
      const slot = (atMs: number): number => Math.floor(atMs / LONG_PERIOD_MS);
      expect(slot(startMs - 3000)).toBe(slot(startMs + forMs + 2999));
      expect(startMs - nowMs).toBeLessThanOrEqual(LONG_PERIOD_MS);
      const isQuietNow = slot(nowMs - 3000) === slot(nowMs + forMs + 2999);
      expect(startMs === nowMs).toBe(isQuietNow);
    }),
  );
});
