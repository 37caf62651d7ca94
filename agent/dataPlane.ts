// This agent's data plane: the one that an earlier control plane of this node left running, taken over
// with all it holds, or a new one. It knows where the record is and what memory the two share.
import { lstat } from 'node:fs/promises';
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { makeDirectory } from '#agent/base/directory.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { Counters } from '#proxy/counters.ts';
import { startDataPlane, type DataPlane, type DataPlaneOptions } from '#proxy/plane.ts';
import type { PlaneLog } from '#proxy/planeRun.ts';
import type { InheritedListeners } from '#proxy/inheritedListeners.ts';
import { PlaneRecord } from '#proxy/planeRecord.ts';
import { findPredecessor } from '#proxy/predecessor.ts';
import { programDigest } from '#proxy/program.ts';
import { ReplaySet, type ReplayOptions } from '#proxy/replay.ts';
import { Inquiries } from './inquiries.ts';
import type { Log } from './log.ts';
import { VERSION } from './version.ts';

export interface DataPlaneParts extends Pick<
  DataPlaneOptions,
  'staleAfterMs' | 'makeSockets' | 'onEvent'
> {
  /**
   * Whether a node has a pod at `address`, which no snapshot with `asks` held: true after such a snapshot was
   * published, false where nobody has. Undefined, a rejection and an answer after INQUIRY_MS say
   * neither, and the connections that wait are refused.
   */
  readonly onWhereIs: (address: string) => Promise<boolean | undefined>;
  /** Connections are with these peers, or were a moment ago: told each ten seconds, and at once after a take-over. */
  readonly onUsing: (peers: readonly NodeName[]) => void;
  readonly runDir: string;
  readonly workers: number;
  /** User and group that it runs as. */
  readonly uid: number;
  readonly replay: ReplayOptions;
  readonly clock: Clock;
  readonly log: Log;
}

export interface OpenedDataPlane {
  readonly plane: DataPlane;
  readonly counters: Counters;
  /** Listening sockets of an earlier control plane; whoever opens one asks here first. */
  readonly listeners: InheritedListeners | undefined;
  /** True while the data plane runs that was there before. */
  inherits(): boolean;
  /** True once it uses a snapshot of this control plane; until then one of the control plane before. */
  isTold(): boolean;
  /** Ends the data plane when its lanes have ended, but after `drainMs` at the latest. */
  close(drainMs: number): Promise<void>;
}

/** Errors: AGENT_RUNNING, CONTROL_SOCKET_UNUSABLE, PROCESS_TIMEOUT. */
export async function openDataPlane(parts: DataPlaneParts): Promise<OpenedDataPlane> {
  const { runDir, workers, uid, log, clock } = parts;
  await requireOwn(runDir);
  const planeLog: PlaneLog = (level, event, fields) =>
    log[level](event, fields as Parameters<Log['info']>[1]);
  const record = await PlaneRecord.open(runDir, { clock, log: planeLog });
  const common = {
    record,
    settings: { workers, uid, gid: uid, build: `${VERSION} ${programDigest()}` },
    nodePath: process.execPath,
    clock,
    log: planeLog,
  };
  const predecessor = await findPredecessor(common);
  const { memory, fits = false } = predecessor ?? {};
  const replay = memory?.replay ?? ReplaySet.create(parts.replay);
  // The next data plane works beside one of another build, and counts for itself.
  const counters = (fits && memory?.counters) || Counters.create(memory?.counters);
  const { staleAfterMs, makeSockets, onEvent, onWhereIs, onUsing } = parts;
  const inquiries = new Inquiries(onWhereIs, { clock, log });
  const plane = startDataPlane({
    ...common,
    predecessor,
    replay,
    counters,
    staleAfterMs,
    makeSockets,
    onEvent,
    onWhereIs: (address) => inquiries.ask(address),
    onUsing,
    random: Math.random,
  });
  const inherited = predecessor?.memory && predecessor.identity.pid;
  const inherits = (): boolean => inherited !== undefined && plane.status().pid === inherited;
  return {
    plane,
    counters,
    listeners: predecessor?.listeners,
    inherits,
    isTold: () => !inherits() || plane.status().ackedVersion >= 0,
    close: async (drainMs) => {
      await plane.close(drainMs);
      record.close();
    },
  };
}

/** Who may write there could put a door of his own in place of the data plane's. */
async function requireOwn(runDir: string): Promise<void> {
  try {
    await makeDirectory(runDir);
    const { uid, mode } = await lstat(runDir);
    if (uid === 0 && (mode & 0o022) === 0) return;
  } catch (cause) {
    throw unusable(runDir, messageOf(cause), cause);
  }
  throw unusable(runDir, 'others than root may write there');
}

const unusable = (runDir: string, state: string, cause?: unknown): TidelockError =>
  new TidelockError('CONTROL_SOCKET_UNUSABLE', {
    op: 'plane.door',
    message: `Cannot use run directory ${runDir}: ${state}`,
    hint: 'Give a directory that root alone may write to as paths.runDir or --run-dir.',
    cause,
  });
