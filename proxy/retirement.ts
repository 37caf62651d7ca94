// A data plane of another version or other settings that was found running: it accepts no more and
// carries its live lanes on with the keys it has, until they end or their time is over. Nothing is
// fed to it and nothing it says is heard, since neither need be understood.
import type { Clock } from '#agent/base/clock.ts';
import { encodeFrame } from './channel.ts';
import type { ControlMessage } from './control.ts';
import { closeFd } from '#proxy/native/fd.ts';
import type { PlaneProcess } from './planeProcess.ts';
import type { PlaneLog } from './planeRun.ts';

export interface Retired {
  readonly ended: Promise<void>;
  /** Ends it when its lanes have ended, but after `drainMs` at the latest. */
  close(drainMs: number): Promise<void>;
}

/**
 * Peers cut a lane that still speaks under a statement replaced this long ago (LaneWorker): a longer
 * time would keep a process without use.
 */
const RETIRE_WITHIN_MS = 90_000;
const END_WITHIN_MS = 2000;

/** Tells the process to drain; of all messages, only this one means the same in every version. */
export function retire(
  process: PlaneProcess,
  { clock, log }: { readonly clock: Clock; readonly log: PlaneLog },
): Retired {
  const { pid, channel } = process;
  channel.on('error', () => undefined).resume();
  process.words?.resume();
  let cancelKill: (() => void) | undefined;
  const drain = (deadlineMs: number): void => {
    const message: ControlMessage = { type: 'drain', deadlineMs };
    if (!channel.destroyed) channel.write(encodeFrame(message));
    cancelKill?.();
    cancelKill = clock.after(deadlineMs + END_WITHIN_MS, () => process.kill());
  };
  const ended = process.ended.then(() => {
    cancelKill?.();
    channel.destroy();
    closeFd(process.fdSocket);
    log('info', 'plane.retired', { pid });
  });
  log('info', 'plane.retiring', { pid, withinMs: RETIRE_WITHIN_MS });
  drain(RETIRE_WITHIN_MS);
  return {
    ended,
    close: (drainMs) => {
      drain(drainMs);
      return ended;
    },
  };
}
