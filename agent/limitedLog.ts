// A log for events that somebody else can cause as often as he likes: at most so many lines a second, and
// the next line tells how many there would have been. What it is given decides nothing here.
import type { Clock } from '#agent/base/clock.ts';
import { Meter } from '#proxy/meter.ts';
import type { Level, Log, LogMethod } from './log.ts';

/** Enough to see what is refused and why; the last events that `status` shows are not washed away. */
export const REFUSALS_PER_SECOND = 5;

/** `log` with at most `perSecond` lines of all levels together; `dropped` is added after a gap. */
export function limitedLog(
  log: Log,
  clock: Pick<Clock, 'monoMs'>,
  perSecond = REFUSALS_PER_SECOND,
): Log {
  const meter = new Meter(perSecond, clock);
  let dropped = 0;
  const method =
    (of: Level): LogMethod =>
    (event, fields = {}) => {
      if (!meter.take()) {
        dropped += 1;
        return;
      }
      log[of](event, dropped > 0 ? { ...fields, dropped } : fields);
      dropped = 0;
    };
  return {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
  };
}
