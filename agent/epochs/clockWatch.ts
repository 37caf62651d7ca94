// Looks at this host's clocks once in a slot, counts what it slept, and reports what does not fit. It sets nothing else.
import { duration } from '#agent/api/units.ts';
import type { Log } from '#agent/log.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';

export function watchClock(slots: Pick<SlotClock, 'noticeSuspend' | 'step'>, log: Log): void {
  const suspendedMs = Math.round(slots.noticeSuspend());
  if (suspendedMs > 0) {
    const text = `this machine was suspended for ${duration(suspendedMs)}: slots go on from where the cluster is`;
    log.warn('clock.resumed', { suspendedMs, text });
  }
  const step = slots.step();
  if (!step) return;
  const offsetMs = Math.round(step.offsetMs);
  const text = `the wall clock is ${offsetMs} ms off slot time and is not followed; set the clock of this host right, or restart the agent if it is right`;
  log.warn('clock.step', { offsetMs, text });
}
