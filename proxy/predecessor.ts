// A data plane that was there before this control plane: found by its door, checked, and taken over
// with what it holds. Nothing it says counts: who it is says the kernel, what its descriptors are is
// looked up, and one that fails a check is ended.
import { sleep, type Clock } from '#agent/base/clock.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import type { PlaneSettings } from './control.ts';
import { Counters } from './counters.ts';
import { fingerprintOf, type Ends } from './door.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { receiveFds } from '#proxy/native/fdpass.ts';
import { isSealedMemfd } from '#proxy/native/memfd.ts';
import { listeningPlace, type ListeningPlace } from '#proxy/native/listening.ts';
import { addressBytes, addressText } from '#proxy/native/sockaddr.ts';
import { connectUnix, peerCredentials } from '#proxy/native/unix.ts';
import type { PlaneLog } from './planeRun.ts';
import { privilegeFaults } from './privilege.ts';
import {
  identify,
  isAlive,
  killProcess,
  runsProgram,
  type ProcessIdentity,
} from './processIdentity.ts';
import { ReplaySet } from './replay.ts';

export interface SearchOptions {
  /** Path of the door, in a directory that root alone may write to. */
  readonly door: string;
  readonly settings: PlaneSettings;
  /** The program that a data plane runs. */
  readonly nodePath: string;
  readonly clock: Clock;
  readonly log: PlaneLog;
}

export interface Predecessor {
  readonly identity: ProcessIdentity;
  readonly ends: Ends;
  /** What goes on in use; undefined: it is of another version or other settings, and may only drain. */
  readonly memory: SharedMemory | undefined;
  readonly listeners: Listeners;
}

/** What outlives control plane and data plane alike, as long as not both end. */
export interface SharedMemory {
  readonly replay: ReplaySet;
  readonly counters: Counters;
}

const ANSWER_WITHIN_MS = 2000;
const LOOK_EVERY_MS = 5;
const MAX_LISTENERS = 10_000;

/**
 * The data plane behind the door; undefined when there is none that can be used, and none is left
 * then. Errors: AGENT_RUNNING when one is there and serves another control plane.
 */
export async function findPredecessor(options: SearchOptions): Promise<Predecessor | undefined> {
  const { door, clock, log } = options;
  const fd = connectUnix(door);
  if (fd === undefined) return undefined;
  try {
    const identity = identify(peerCredentials(fd).pid);
    if (identity === undefined) return undefined;
    const given = await legacyFrom(fd, clock, door);
    try {
      const found = examine(identity, given, options);
      const { pid } = identity;
      const fits = found.memory !== undefined;
      log('info', 'plane.found', { pid, fits, listeners: found.listeners.size });
      return found;
    } catch (error) {
      given.fds.forEach(closeFd);
      log('error', 'plane.unfit', { pid: identity.pid, why: messageOf(error) });
      await endOf(identity, clock);
      return undefined;
    }
  } finally {
    closeFd(fd);
  }
}

/** Ends it, so that the ports it listens on are free. */
async function endOf(identity: ProcessIdentity, clock: Clock): Promise<void> {
  const deadlineMs = clock.monoMs() + ANSWER_WITHIN_MS;
  killProcess(identity);
  while (isAlive(identity) && clock.monoMs() < deadlineMs) await sleep(clock, LOOK_EVERY_MS);
}

interface Given {
  readonly ticket: number;
  readonly fds: readonly number[];
}

async function legacyFrom(fd: number, clock: Clock, door: string): Promise<Given> {
  const deadlineMs = clock.monoMs() + ANSWER_WITHIN_MS;
  try {
    for (;;) {
      const given = receiveFds(fd);
      if (given !== undefined) return given;
      if (clock.monoMs() > deadlineMs) throw new RangeError('it does not answer');
      await sleep(clock, LOOK_EVERY_MS);
    }
  } catch (cause) {
    throw new TidelockError('AGENT_RUNNING', {
      op: 'plane.find',
      message: `Cannot take the data plane at ${door} over: ${messageOf(cause)}`,
      hint: 'Another agent runs with this run directory, or its data plane is just ending: stop that agent, or try again in a few seconds.',
      cause,
    });
  }
}

/** Errors: any, when it is not what a data plane of this node must be. */
function examine(identity: ProcessIdentity, given: Given, options: SearchOptions): Predecessor {
  const { settings, nodePath } = options;
  const [channel, fds, words, replayFd, countersFd, ...more] = given.fds;
  if (
    channel === undefined ||
    fds === undefined ||
    words === undefined ||
    replayFd === undefined ||
    countersFd === undefined ||
    more.length > 0
  ) {
    throw new RangeError(`it gave ${given.fds.length} descriptors, not 5`);
  }
  const listeners = new Listeners(receiveListeners(fds));
  try {
    const fits =
      given.ticket === fingerprintOf(settings) &&
      runsProgram(identity, nodePath) &&
      privilegeFaults(identity.pid, settings).length === 0;
    const memory = fits ? sharedMemory(replayFd, countersFd) : undefined;
    if (!fits) [replayFd, countersFd].forEach(closeFd);
    return { identity, ends: { channel, fds, words }, memory, listeners };
  } catch (error) {
    listeners.close();
    throw error;
  }
}

function sharedMemory(replay: number, counters: number): SharedMemory {
  if (!isSealedMemfd(replay) || !isSealedMemfd(counters)) throw new RangeError('no sealed memory');
  return { replay: ReplaySet.map(replay), counters: Counters.map(counters) };
}

/** All of them wait already: they were sent before the end of the socket that they wait at. */
function receiveListeners(socket: number): readonly number[] {
  const all: number[] = [];
  try {
    for (let passed = receiveFds(socket); passed !== undefined; passed = receiveFds(socket)) {
      all.push(...passed.fds);
      if (passed.ticket === 0) break;
      if (all.length > MAX_LISTENERS) throw new RangeError('it gave too many listeners');
    }
    return all;
  } catch (error) {
    all.forEach(closeFd);
    throw error;
  }
}

/** Listening sockets that a data plane gave, known by where they listen and not by what was said. */
export class Listeners {
  readonly #held: { readonly fd: number; readonly place: ListeningPlace | undefined }[];

  constructor(fds: readonly number[]) {
    this.#held = fds.map((fd) => ({ fd, place: listeningPlace(fd) }));
  }

  get size(): number {
    return this.#held.length;
  }

  /** The one that listens there, for the caller to close; undefined: none does. */
  claim({ address, port, netns }: Omit<ListeningPlace, 'family'>): number | undefined {
    const wanted = addressText(addressBytes(address));
    const at = this.#held.findIndex(
      ({ place }) => place?.address === wanted && place.port === port && place.netns === netns,
    );
    return at < 0 ? undefined : this.#held.splice(at, 1)[0]?.fd;
  }

  /** Closes those that nobody claimed. */
  close(): void {
    for (const { fd } of this.#held.splice(0)) closeFd(fd);
  }
}
