// The data-plane process: started by proxy/plane.ts as root, it starts its workers, gives up every
// privilege and only then says hello and is given keys, listeners and sockets. It reads no file after
// that. It outlives its control plane: lanes go on, and the next one comes in by the door; when none
// comes in time, it drains and ends.
import { writeSync } from 'node:fs';
import type { Server } from 'node:net';
import { asymmetricCounts } from '#agent/base/asymmetric.ts';
import { systemClock } from '#agent/base/clock.ts';
import { asTidelockError, TidelockError } from '#agent/base/errors.ts';
import { decodeFrame, isSnapshotFrame } from './channel.ts';
import {
  CONTROL_VERSION,
  PLANE_FDS,
  QUESTIONS_PER_SECOND,
  type ControlMessage,
  type DataMessage,
  type EventBatch,
  type FromWorker,
  type ListenerRole,
  type PlaneSettings,
  understands,
} from './control.ts';
import { ControlLink } from './controlLink.ts';
import { Crew } from './crew.ts';
import { VerificationDesk } from './desk.ts';
import { openDoor, type Ends } from './door.ts';
import { EventGate } from './eventGate.ts';
import { HeldListeners } from './heldListeners.ts';
import { Meter } from './meter.ts';
import { closeFd, redirectFd } from '#proxy/native/fd.ts';
import { dropPrivileges } from './privilege.ts';

/** How often the count of asymmetric operations is told while it changes. */
const COUNTS_EVERY_MS = 1000;
/** Live lanes may go on this long when no control plane is there to say otherwise. */
const DRAIN_ALONE_MS = 5000;
/** The next control plane is there by then, where somebody starts it again. */
const NO_SOCKETS_AFTER_MS = 10_000;
const STDERR = 2;

/** What a process is while it has workers. */
interface Serving {
  readonly crew: Crew;
  readonly door: Server;
}

/** Runs a data plane whose workers run `script`, on the descriptors of PLANE_FDS. */
export function runDataPlane(script: URL): void {
  const life = new PlaneLife(script);
  life.join(PLANE_FDS);
  // Whoever stops all processes of the agent stops the control plane too, and it says what to do.
  process.on('SIGTERM', () => life.endIfAlone());
  process.on('SIGINT', () => life.endIfAlone());
  process.on('SIGHUP', () => undefined);
}

class PlaneLife {
  readonly #script: URL;
  readonly #desk = new VerificationDesk();
  readonly #events = new EventGate(systemClock);
  readonly #questions = new Meter(QUESTIONS_PER_SECOND, systemClock);
  readonly #listeners = new HeldListeners();
  /** The control plane; undefined between the end of one and the coming of the next. */
  #link: ControlLink | undefined;
  #serving: Serving | undefined;
  #isDraining = false;
  #countsPending = false;
  #staleAfterMs = Infinity;
  #cancelStale: () => void = () => undefined;

  constructor(script: URL) {
    this.#script = script;
  }

  /** Listens to a control plane. */
  join(ends: Omit<Ends, 'words'>): void {
    const link = new ControlLink(ends, {
      frame: (frame) => this.#obey(link, frame),
      gone: (error) => this.#lost(error),
    });
    this.#link = link;
  }

  /** Drains soon and ends, unless there is a control plane to decide that. */
  endIfAlone(): void {
    if (this.#link === undefined) this.#drain(DRAIN_ALONE_MS);
  }

  #lost(error: TidelockError | undefined): void {
    this.#link = undefined;
    if (error !== undefined) fail(error);
    if (this.#serving === undefined) process.exit(0);
  }

  #obey(link: ControlLink, frame: Buffer): void {
    try {
      const { crew } = this.#serving ?? {};
      if (crew !== undefined && isSnapshotFrame(frame)) {
        this.#pass(crew, frame);
        return;
      }
      const message = decodeFrame(frame) as ControlMessage;
      if (message.type !== 'hello') {
        if (crew !== undefined) this.#carryOut(crew, link, message, frame);
        return;
      }
      this.#staleAfterMs = message.staleAfterMs;
      if (crew !== undefined) this.#welcome(crew, link);
      else this.#start(message.version, message.settings, link).catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  async #start(version: number, settings: PlaneSettings, link: ControlLink): Promise<void> {
    if (!understands(version)) throw otherVersion(version);
    const crew = await Crew.start(this.#script, settings, {
      acked: (version) => this.#say({ type: 'ack', version }),
      said: (worker, message) => this.#hear(worker, message),
      lost: (message) => this.#say(message), // to the next control plane, the hello says what is left
      drained: () => process.exit(0),
      died: fail,
      listeners: () => this.#listeners.all(),
    });
    dropPrivileges(settings);
    // After that, so that who comes in sees by the kernel's word whom this process runs as.
    const door = openDoor(PLANE_FDS.door, {
      legacy: () => {
        if (this.#link !== undefined || this.#isDraining) return undefined;
        const { replay, counters } = PLANE_FDS;
        return { replay, counters, listeners: this.#listeners.fds() };
      },
      entered: (ends) => this.#succeed(ends),
    });
    this.#serving = { crew, door };
    if (this.#link === undefined) process.exit(0); // it ended meanwhile, and gave nothing yet
    this.#greet(crew, link);
    this.#awaitSnapshot();
  }

  #succeed(ends: Ends): void {
    redirectFd(ends.words, STDERR);
    closeFd(ends.words);
    this.join(ends);
  }

  /** A control plane that took this process over has said hello. */
  #welcome(crew: Crew, link: ControlLink): void {
    crew.succeeded();
    this.#listeners.forgetNames();
    this.#greet(crew, link);
    this.#tellCounts();
  }

  #greet({ working, spares }: Crew, link: ControlLink): void {
    link.send({ type: 'hello', version: CONTROL_VERSION, workers: working, spares });
  }

  #say(message: DataMessage): void {
    this.#link?.send(message);
  }

  #hear(worker: number, message: Exclude<FromWorker, { type: 'ready' | 'ack' | 'drained' }>): void {
    switch (message.type) {
      case 'poolLow':
        this.#askForSockets(worker, message);
        return;
      case 'whereIs':
        if (this.#questions.take()) this.#say({ ...message, worker });
        return;
      case 'events':
        if (this.#link) this.#link.together(() => this.#tellEvents(message));
        else this.#tellEvents(message); // nobody hears them; what the gate leaves out is counted for the next
        return;
      case 'verify': {
        const valid = this.#desk.verify(message.key, message.message, message.signature);
        this.#serving?.crew.tell(worker, { type: 'verified', id: message.id, valid });
        this.#tellCounts();
        return;
      }
      case 'using':
      case 'lanes':
      case 'canary':
        this.#say(message);
    }
  }

  #tellEvents({ events, dropped: before }: EventBatch): void {
    this.#events.leftOut(before);
    for (const event of events) {
      this.#events.pass(event.kind, (dropped) => this.#say({ type: 'event', event, dropped }));
    }
  }

  #askForSockets(worker: number, asked: Extract<FromWorker, { type: 'poolLow' }>): void {
    if (this.#link?.send({ ...asked, worker }) === true) return;
    const { podUid, family } = asked;
    systemClock.after(NO_SOCKETS_AFTER_MS, () => {
      // Nobody came who can make any: whoever waits is refused, and the worker asks again.
      if (this.#link === undefined) this.#serving?.crew.sockets(worker, podUid, family, []);
    });
  }

  #tellCounts(): void {
    if (this.#countsPending) return;
    this.#countsPending = true;
    systemClock.after(COUNTS_EVERY_MS, () => {
      this.#countsPending = false;
      const { total, tokens } = asymmetricCounts();
      this.#say({ type: 'asymmetric', total, tokens });
    });
  }

  #carryOut(
    crew: Crew,
    link: ControlLink,
    message: Exclude<ControlMessage, { type: 'hello' }>,
    frame: Buffer,
  ): void {
    switch (message.type) {
      case 'snapshot':
        this.#pass(crew, frame);
        return;
      case 'listener':
        this.#listen(crew, message.role, link.takeFds(message.ticket));
        return;
      case 'unlisten':
        this.#listeners.release(message.role);
        crew.unlisten(message.role);
        return;
      case 'listenersNamed':
        for (const role of this.#listeners.releaseUnnamed()) crew.unlisten(role);
        return;
      case 'sockets': {
        const fds = message.count === 0 ? [] : link.takeFds(message.ticket);
        crew.sockets(message.worker, message.podUid, message.family, fds);
        return;
      }
      case 'whereabouts': {
        const { id, isKnown } = message;
        crew.tell(message.worker, { type: 'whereabouts', id, isKnown });
        return;
      }
      case 'lanes':
        crew.lanes(message.worker, message.id, message.after);
        return;
      case 'canary':
        crew.canary(message.id, message.peer);
        return;
      case 'drain':
        this.#drain(message.deadlineMs);
    }
  }

  #pass(crew: Crew, snapshot: Buffer): void {
    crew.snapshot(snapshot);
    this.#awaitSnapshot();
  }

  #listen(crew: Crew, role: ListenerRole, [fd]: readonly number[]): void {
    if (fd === undefined) throw noDescriptor();
    if (this.#listeners.hold(role, fd)) crew.listen(role, fd);
  }

  /** Without a newer snapshot in time nothing here is known to hold any more (PROTOCOL 4). */
  #awaitSnapshot(): void {
    this.#cancelStale();
    this.#cancelStale = systemClock.after(this.#staleAfterMs, () => this.#drain(DRAIN_ALONE_MS));
  }

  /** Accepts no more, frees the ports, and ends with the last lane or at the deadline. */
  #drain(deadlineMs: number): void {
    this.#isDraining = true;
    if (this.#serving === undefined) process.exit(0);
    this.#serving.door.close();
    this.#listeners.close();
    this.#serving.crew.drain(deadlineMs);
  }
}

const otherVersion = (version: number): TidelockError =>
  new TidelockError('CONTROL_MALFORMED', {
    op: 'plane.start',
    message: `Cannot work for a control plane that speaks version ${version}: this is ${CONTROL_VERSION}`,
    hint: 'Restart the agent, so that both processes come from the same version.',
  });

const noDescriptor = (): TidelockError =>
  new TidelockError('DATA_PLANE_FAILED', {
    op: 'plane.listen',
    message: 'Cannot serve a listener: no descriptor is left for it',
    hint: 'Raise LimitNOFILE (ulimit -n) of the agent: each lane takes two.',
  });

/** Last words go to standard error, which the control plane logs. */
function fail(error: unknown): never {
  const { code, message, hint } = asTidelockError(error, 'plane.run');
  try {
    writeSync(STDERR, `${code}: ${message}\n${hint}\n`);
  } catch {
    // nobody listens: the control plane ended first
  }
  process.exit(1);
}

if (import.meta.main) runDataPlane(new URL('./worker.ts', import.meta.url));
