// A data plane of another build or other settings that was found running: it accepts no more and
// carries its live lanes on with the keys it has, until they end or their time is over. Nothing is
// fed to it and nothing it says is heard, since neither need be understood.
import { sleep, type Clock } from '#agent/base/clock.ts';
import { encodeFrame } from './channel.ts';
import type { ControlMessage } from './control.ts';
import { closeFd } from '#proxy/native/fd.ts';
import type { PlaneProcess } from './planeProcess.ts';
import type { RecordedPlane } from './planeRecord.ts';
import type { PlaneLog } from './planeRun.ts';
import { isAlive, killProcess } from './processIdentity.ts';

export interface Retired {
  readonly ended: Promise<void>;
  /** Ends it when its lanes have ended, but after `drainMs` at the latest. */
  close(drainMs: number): Promise<void>;
}

interface RetirementDeps {
  readonly clock: Clock;
  readonly log: PlaneLog;
}

/**
 * Peers cut a lane that still speaks under a statement replaced this long ago (LaneWorker): a longer
 * time would keep a process without use.
 */
export const RETIRE_WITHIN_MS = 90_000;
const END_WITHIN_MS = 2000;
const LOOK_EVERY_MS = 200;

/** Tells the process to drain; of all messages, only this one means the same in every version. */
export function retire(process: PlaneProcess, deps: RetirementDeps): Retired {
  const { channel } = process;
  channel.on('error', () => undefined).resume();
  process.words?.resume();
  return seeOff(RETIRE_WITHIN_MS, deps, {
    pid: process.pid,
    kill: () => process.kill(),
    tell: (deadlineMs) => {
      const message: ControlMessage = { type: 'drain', deadlineMs };
      if (!channel.destroyed) channel.write(encodeFrame(message));
    },
    ended: process.ended.then(() => {
      channel.destroy();
      closeFd(process.fdSocket);
    }),
  });
}

/** One that an earlier control plane told to drain: it has the rest of its time, and hears nobody. */
export function retiredBefore(plane: RecordedPlane, deps: RetirementDeps): Retired {
  const { clock } = deps;
  const leftMs = (plane.endBy ?? 0) - clock.wallMs();
  return seeOff(Math.min(Math.max(0, leftMs), RETIRE_WITHIN_MS), deps, {
    pid: plane.pid,
    kill: () => killProcess(plane),
    tell: () => undefined,
    ended: endOf(plane, clock),
  });
}

async function endOf(plane: RecordedPlane, clock: Clock): Promise<void> {
  while (isAlive(plane)) await sleep(clock, LOOK_EVERY_MS);
}

interface Leaver {
  readonly pid: number;
  readonly ended: Promise<void>;
  kill(): void;
  /** Asks it to end when its lanes have, after `deadlineMs` at the latest. */
  tell(deadlineMs: number): void;
}

function seeOff(withinMs: number, { clock, log }: RetirementDeps, leaver: Leaver): Retired {
  const { pid } = leaver;
  let cancelKill: (() => void) | undefined;
  const drain = (deadlineMs: number): void => {
    leaver.tell(deadlineMs);
    cancelKill?.();
    cancelKill = clock.after(deadlineMs + END_WITHIN_MS, () => leaver.kill());
  };
  log('info', 'plane.retiring', { pid, withinMs });
  drain(withinMs);
  const ended = leaver.ended.then(() => {
    cancelKill?.();
    log('info', 'plane.retired', { pid });
  });
  return {
    ended,
    close: (drainMs) => {
      drain(drainMs);
      return ended;
    },
  };
}
