// Check of the kernel's clock by itself; the bus and the peers are asked by the checks of those.
import { EXIT } from '#agent/base/codes.ts';
import { kernelClock } from '#proxy/native/timex.ts';
import { pass, warn, type Check } from './check.ts';

const clock: Check = {
  id: 'clock',
  title: 'kernel clock',
  explanation: {
    looksAt: 'adjtimex(2): whether the kernel was told that something keeps its clock.',
    neededFor: 'Slots are counted by wall time, and nodes must agree within half a period.',
    usualCause:
      'No chrony, systemd-timesyncd or ntpd runs, or it has not reached its servers yet; in many containers and virtual machines the host keeps the clock and the kernel does not know.',
    remedy: 'Run one of them; the check bus-clock tells how far off the clock really is.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async () => {
    const { usualCause, remedy } = clock.explanation;
    const { synchronised, maxErrorMs } = kernelClock();
    return synchronised
      ? pass(`synchronised, at most ${Math.ceil(maxErrorMs)} ms off`)
      : warn('the kernel does not know of anything that keeps its clock', usualCause, remedy);
  },
};

export const CLOCK_CHECKS: readonly Check[] = [clock];
