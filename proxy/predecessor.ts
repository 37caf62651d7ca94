// A data plane that was there before this control plane: known by the record, checked, and taken over
// with what it holds. Nothing it says counts: who it is and what it was given say record and kernel,
// what its descriptors are is looked up, and one that fails a check is ended.
import { isDeepStrictEqual } from 'node:util';
import { sleep, type Clock } from '#agent/base/clock.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { CONTROL_VERSION, understands, type PlaneSettings } from './control.ts';
import { Counters } from './counters.ts';
import type { Ends } from './door.ts';
import { InheritedListeners } from './inheritedListeners.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { receiveFds, sendFds } from '#proxy/native/fdpass.ts';
import { memoryId } from '#proxy/native/memfd.ts';
import { listeningPlace } from '#proxy/native/listening.ts';
import { forceSendBuffer, socketPair } from '#proxy/native/socket.ts';
import { connectUnix, peerCredentials } from '#proxy/native/unix.ts';
import { FD_QUEUE_BYTES } from './planeProcess.ts';
import type { PlaneRecord, RecordedPlane } from './planeRecord.ts';
import type { PlaneLog } from './planeRun.ts';
import { privilegeFaults } from './privilege.ts';
import {
  fileId,
  isAlive,
  killProcess,
  programOf,
  type ProcessIdentity,
} from './processIdentity.ts';
import { ReplaySet } from './replay.ts';

export interface SearchOptions {
  readonly record: PlaneRecord;
  readonly settings: PlaneSettings;
  /** The program that a data plane runs. */
  readonly nodePath: string;
  readonly clock: Clock;
  readonly log: PlaneLog;
}

export interface Predecessor {
  readonly identity: ProcessIdentity;
  /** Its own. */
  readonly settings: PlaneSettings;
  readonly ends: Ends;
  /** What goes on in use; undefined: it is of a version that is not understood here, and may only drain. */
  readonly memory: SharedMemory | undefined;
  /** False: it is of another build or has other settings, and is to be replaced. */
  readonly fits: boolean;
  readonly listeners: InheritedListeners;
}

/** What outlives control plane and data plane alike, as long as not both end. */
export interface SharedMemory {
  readonly replay: ReplaySet;
  /** Undefined: counters of a version that counts other things. */
  readonly counters: Counters | undefined;
}

/** Far more than a live one needs on a busy machine: ending one that is only slow cuts its lanes. */
const ANSWER_WITHIN_MS = 5000;
const END_WITHIN_MS = 5000;
const LOOK_EVERY_MS = 5;
const MAX_GIVEN = 10_000;

/**
 * The data plane that serves and has no control plane any more; undefined when there is none that can
 * be used, and none serves then. Errors: PROCESS_TIMEOUT when one cannot be ended.
 */
export async function findPredecessor(options: SearchOptions): Promise<Predecessor | undefined> {
  const { record, log, clock } = options;
  const serving = record.planes().filter(({ endBy }) => endBy === undefined);
  const newest = serving.pop();
  for (const older of serving) await endProcess(older, clock); // its door went to the newer one
  if (newest === undefined) return undefined;
  const { pid } = newest;
  let given: Given | undefined;
  try {
    given = await legacyOf(newest, options);
    const found = examine(newest, given, options);
    log('info', 'plane.found', {
      pid,
      fits: found.fits,
      listeners: found.listeners.size,
    });
    return found;
  } catch (error) {
    log('error', 'plane.unfit', { pid, why: messageOf(error) });
    await endProcess(newest, clock);
    if (given !== undefined) {
      closeEnds(given.ends);
      given.fds.forEach(letGo);
    }
    return undefined;
  }
}

/** Ends it, so that the ports it listens on are free. */
async function endProcess(identity: ProcessIdentity, clock: Clock): Promise<void> {
  const deadlineMs = clock.monoMs() + END_WITHIN_MS;
  killProcess(identity);
  while (isAlive(identity)) {
    if (clock.monoMs() > deadlineMs) throw endless(identity);
    await sleep(clock, LOOK_EVERY_MS);
  }
}

interface Given {
  readonly ends: Ends;
  /** Replay set, counters, listeners: memory and listening sockets, looked at, and nothing else. */
  readonly fds: readonly number[];
}

/** Errors: any, when it gives nothing in time, or what it should not. */
async function legacyOf(plane: RecordedPlane, { record, clock }: SearchOptions): Promise<Given> {
  const deadlineMs = clock.monoMs() + ANSWER_WITHIN_MS;
  for (;;) {
    try {
      return await visit(plane, record.door, clock, deadlineMs);
    } catch (error) {
      // It may not have noticed yet that its control plane is gone.
      if (error instanceof Unfit || !isAlive(plane) || clock.monoMs() > deadlineMs) throw error;
    }
    await sleep(clock, LOOK_EVERY_MS);
  }
}

/**
 * The sockets are made here, so that no other process holds this side of them: they can be of no other
 * kind and cannot be made to wait.
 */
async function visit(
  plane: RecordedPlane,
  door: string,
  clock: Clock,
  deadlineMs: number,
): Promise<Given> {
  const visitor = connectUnix(door);
  if (visitor === undefined) throw new RangeError('nobody listens at its door');
  const [channel, theirChannel] = socketPair('stream');
  const [fds, theirFds] = socketPair('seqpacket');
  const [words, theirWords] = socketPair('stream');
  const ends = { channel, fds, words };
  const theirs = [theirChannel, theirFds, theirWords];
  try {
    if (peerCredentials(visitor).pid !== plane.pid) throw new Unfit('another is at its door');
    if (!sendFds(visitor, 0, theirs)) throw new RangeError('its door is blocked');
    theirs.splice(0).forEach(closeFd); // that it declines shows by the end of what it was sent
    forceSendBuffer(fds, FD_QUEUE_BYTES);
    return { ends, fds: await receiveLegacy(fds, clock, deadlineMs) };
  } catch (error) {
    closeEnds(ends);
    throw error;
  } finally {
    theirs.forEach(closeFd);
    closeFd(visitor);
  }
}

const closeEnds = ({ channel, fds, words }: Ends): void => [channel, fds, words].forEach(closeFd);

/** Errors: any; what came until then is let go. */
async function receiveLegacy(
  socket: number,
  clock: Clock,
  deadlineMs: number,
): Promise<readonly number[]> {
  const all: number[] = [];
  try {
    for (;;) {
      const passed = receiveFds(socket, letGo);
      if (passed === undefined) {
        if (clock.monoMs() > deadlineMs) throw new RangeError('it does not answer');
        await sleep(clock, LOOK_EVERY_MS);
        continue;
      }
      all.push(...passed.fds);
      if (passed.fds.length === 0 || !passed.fds.every(isExpected)) {
        throw new Unfit('it gave what is neither memory nor a listening socket');
      }
      if (passed.ticket === 0) return all;
      if (all.length > MAX_GIVEN) throw new Unfit('it gave too many descriptors');
    }
  } catch (error) {
    all.forEach(letGo);
    throw error;
  }
}

const isExpected = (fd: number): boolean =>
  memoryId(fd) !== undefined || listeningPlace(fd) !== undefined;

/**
 * Closes what is of an expected kind. Closing anything else can wait for whoever made it (FUSE, TCP
 * that lingers); it is one message of them at most, and stays open until this process ends.
 */
const letGo = (fd: number): void => {
  if (isExpected(fd)) closeFd(fd);
};

/** Errors: any, when it is not what a data plane of this node must be. */
function examine(plane: RecordedPlane, { ends, fds }: Given, options: SearchOptions): Predecessor {
  const [replay, counters, ...listening] = fds;
  if (replay === undefined || memoryId(replay) !== plane.replay) {
    throw new Unfit('it gave another replay set than its own');
  }
  if (counters === undefined || memoryId(counters) !== plane.counters) {
    throw new Unfit('it gave other counters than its own');
  }
  if (programOf(plane.pid) !== plane.program) throw new Unfit('it runs another program by now');
  const faults = privilegeFaults(plane.pid, plane.settings);
  if (faults.length > 0) throw new Unfit(faults.join('; '));
  const listeners = new InheritedListeners(listening);
  const found = { identity: plane, settings: plane.settings, ends, listeners };
  const fits = isOfThisBuild(plane, options);
  if (fits || understands(plane.speaks ?? 0)) {
    const isSameVersion = fits || plane.speaks === CONTROL_VERSION;
    if (!isSameVersion) closeFd(counters);
    const memory = {
      replay: ReplaySet.map(replay),
      counters: isSameVersion ? Counters.map(counters) : undefined,
    };
    return { ...found, memory, fits };
  }
  [replay, counters].forEach(closeFd);
  return { ...found, memory: undefined, fits };
}

const isOfThisBuild = ({ settings, program }: RecordedPlane, options: SearchOptions): boolean =>
  isDeepStrictEqual(settings, options.settings) && program === fileId(options.nodePath);

/** Asking again does not help. */
class Unfit extends RangeError {}

const endless = ({ pid }: ProcessIdentity): TidelockError =>
  new TidelockError('PROCESS_TIMEOUT', {
    op: 'plane.end',
    message: `Cannot end data plane ${pid} of an earlier agent: it is still there after SIGKILL`,
    hint: `It hangs in the kernel and may hold the lane port; look at /proc/${pid}/stack, and restart the machine if nothing else helps.`,
  });
