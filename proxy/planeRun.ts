// One process of the data plane as the control plane sees it, until its end: its descriptors, its
// channel, and every check of what it says. It trusts nothing the process sends, and knows nothing of
// the processes before or after.
import type { ChainId, NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError, messageOf, TidelockError } from '#agent/base/errors.ts';
import { Channel, decodeFrame } from './channel.ts';
import {
  ASKS_VERSION,
  CONTROL_VERSION,
  MAX_CONTROL_FRAME_BYTES,
  MAX_DATA_FRAME_BYTES,
  type CanaryAnswer,
  type ControlMessage,
  type DataMessage,
  type Family,
  type LanePage,
  type ListenerRole,
  type PlaneSettings,
  understands,
} from './control.ts';
import { malformedMessage, readDataMessage } from './dataMessage.ts';
import type { LaneEvent } from './facts.ts';
import { Meter } from './meter.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { sendFds } from '#proxy/native/fdpass.ts';
import type { PlaneProcess } from './planeProcess.ts';
import { privilegeFaults } from './privilege.ts';
import { Questions } from './questions.ts';
import { toldSnapshot, type Snapshot } from './snapshot.ts';
import { SocketRetries, type PoolLow } from './socketRetries.ts';

export type PlaneLog = (
  level: 'info' | 'warn' | 'error',
  event: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

export interface PlaneRunOptions {
  readonly settings: PlaneSettings;
  /** A data plane that hears no snapshot for so long drains and ends (PROTOCOL 4). */
  readonly staleAfterMs: number;
  /** New unconnected sockets in the pod's namespace, whose closing becomes the plane's. May throw. */
  readonly makeSockets: (podUid: string, family: Family, count: number) => readonly number[];
  readonly onEvent: (event: LaneEvent, dropped: number) => void;
  /**
   * Whether a node has a pod at `address`. True only after the snapshot that holds it was published; false
   * where none has, so that it may be reached in the clear; undefined: that could not be found out. Never
   * rejects.
   */
  readonly onWhereIs: (address: string) => Promise<boolean | undefined>;
  /** Some worker has connections with these peers, or had some in the last seconds. */
  readonly onUsing: (peers: readonly NodeName[]) => void;
  readonly log: PlaneLog;
  readonly clock: Clock;
}

type WhereIs = Extract<DataMessage, { type: 'whereIs' }>;
type WorkerLost = Extract<DataMessage, { type: 'workerLost' }>;

const HELLO_WITHIN_MS = 30_000;
const END_WITHIN_MS = 2000;
/** Both far above what an honest data plane asks: some 25,000 connections a second, 100 events. */
const MESSAGES_PER_SECOND = 10_000;
const SOCKETS_PER_SECOND = 100_000;
const LAST_WORDS_BYTES = 4096;

export interface RunReports {
  running(run: PlaneRun): void;
  /** One that took a lost worker's place waits for a snapshot. */
  workerLost(run: PlaneRun): void;
  ended(run: PlaneRun, why: string): void;
}

export class PlaneRun {
  readonly pid: number;
  ackedVersion = -1;
  asymmetric = { total: 0, tokens: 0 };
  /** Threads that work, and those that stand by. */
  crew = { working: 0, spares: 0 };
  state: 'starting' | 'running' = 'starting';
  readonly #options: PlaneRunOptions;
  readonly #reports: RunReports;
  readonly #process: PlaneProcess;
  readonly #channel: Channel<ControlMessage>;
  readonly #ended: Promise<void>;
  readonly #cancelHello: () => void;
  readonly #messages: Meter;
  readonly #sockets: Meter;
  readonly #poolWarnings: Meter;
  readonly #retries: SocketRetries;
  readonly #questions: Questions;
  /** Its CONTROL_VERSION, once it has said hello. */
  #speaks = 0;
  /** The chains of the last snapshot. */
  #held: ReadonlySet<ChainId> = new Set();
  #ticket = 0;
  #lastWords = '';
  #endedBecause: string | undefined;
  #over = false;
  #cancelEnd: () => void = () => undefined;

  constructor(process: PlaneProcess, options: PlaneRunOptions, reports: RunReports) {
    const { clock, settings, staleAfterMs } = options;
    this.#process = process;
    this.#options = options;
    this.#reports = reports;
    this.pid = process.pid;
    this.#messages = new Meter(MESSAGES_PER_SECOND, clock);
    this.#sockets = new Meter(SOCKETS_PER_SECOND, clock);
    this.#poolWarnings = new Meter(1, clock);
    this.#questions = new Questions(clock);
    this.#retries = new SocketRetries(clock, {
      tried: (asked) => this.#fillPool(asked),
      refused: ({ worker, podUid, family }) =>
        this.send({ type: 'sockets', ticket: 0, worker, podUid, family, count: 0 }),
    });
    this.#channel = new Channel(process.channel, {
      maxFrameBytes: MAX_DATA_FRAME_BYTES,
      maxQueuedBytes: 2 * MAX_CONTROL_FRAME_BYTES,
      onFrame: (frame) => this.#hear(frame),
      onClose: (error) => this.#channelClosed(error),
    });
    process.words?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_BYTES);
    });
    this.#ended = process.ended.then((how) => this.#end(how));
    this.#cancelHello = clock.after(HELLO_WITHIN_MS, () => this.kill('said no hello'));
    this.send({ type: 'hello', version: CONTROL_VERSION, settings, staleAfterMs });
  }

  /** Threads that were to work. */
  get workers(): number {
    return this.#options.settings.workers;
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }

  /** Whether it asks whose an address is: another takes whom it is not told of for nobody. */
  get canAsk(): boolean {
    return this.#speaks >= ASKS_VERSION;
  }

  send(message: ControlMessage): void {
    if (!this.#channel.send(message)) this.kill('does not read what it is sent');
  }

  sendSnapshot(snapshot: Snapshot): void {
    const told = toldSnapshot(snapshot, this.#held);
    // Whom one that cannot ask is not told of it would reach in the clear.
    const isBlind = snapshot.asks === true && !this.canAsk;
    this.send({ type: 'snapshot', snapshot: isBlind ? { ...told, unmeshed: 'refuse' } : told });
    this.#held = new Set(snapshot.chains.map(({ id }) => id));
  }

  sendListener(role: ListenerRole, fd: number): void {
    this.#sendFds([fd], (ticket) => ({ type: 'listener', ticket, role }));
  }

  /** Live connections of one worker after the one with that number; undefined: no answer. */
  lanePage(worker: number, after: number): Promise<LanePage | undefined> {
    return this.#questions.ask('lanes', (id) => this.send({ type: 'lanes', id, worker, after }));
  }

  /** Has a worker open a lane to `peer` and reports how it went; undefined: no answer. */
  canary(peer: NodeName): Promise<CanaryAnswer | undefined> {
    return this.#questions.ask('canary', (id) => this.send({ type: 'canary', id, peer }));
  }

  kill(why: string): void {
    this.#endedBecause ??= why;
    this.#process.kill();
  }

  /** Ends it: at once, or when its lanes have ended but after `drainMs` at the latest. */
  async close(drainMs: number): Promise<void> {
    const { clock } = this.#options;
    this.#endedBecause = 'was told to';
    if (this.isRunning) this.send({ type: 'drain', deadlineMs: drainMs });
    else this.#channel.close();
    const cancel = clock.after(drainMs + END_WITHIN_MS, () => this.kill('did not end'));
    await this.#ended;
    cancel();
  }

  #end(how: string): void {
    this.#over = true;
    this.#cancelHello();
    this.#cancelEnd();
    this.#questions.close();
    this.#retries.close();
    this.#channel.close();
    closeFd(this.#process.fdSocket);
    const words = this.#lastWords.trim();
    if (words !== '') this.#options.log('warn', 'plane.lastWords', { pid: this.pid, words });
    this.#reports.ended(this, this.#endedBecause ?? how);
  }

  #channelClosed(error: Error | undefined): void {
    if (error instanceof TidelockError) {
      this.kill(error.message);
    } else if (!this.#over) {
      // It is ending by itself, most likely, and its exit code says more than a kill would.
      const { clock } = this.#options;
      this.#cancelEnd = clock.after(END_WITHIN_MS, () => this.kill('closed its channel'));
    }
  }

  #hear(frame: Buffer): void {
    const { log } = this.#options;
    if (!this.#messages.take()) {
      this.kill(`said more than ${MESSAGES_PER_SECOND} messages in a second`);
      return;
    }
    try {
      const message = readDataMessage(decodeFrame(frame));
      if (message !== undefined) this.#act(message);
    } catch (error) {
      log('error', 'plane.message', { error: asTidelockError(error, 'plane.message').toJSON() });
      this.kill('sent what is no message');
    }
  }

  #act(message: DataMessage): void {
    if (message.type === 'hello') {
      this.#welcome(message);
      return;
    }
    if (!this.isRunning) throw malformedMessage(`${message.type} before hello`);
    switch (message.type) {
      case 'ack':
        this.ackedVersion = message.version;
        return;
      case 'poolLow':
        if (this.#sockets.take(message.want)) this.#retries.ask(message);
        else this.kill(`asked for more than ${SOCKETS_PER_SECOND} sockets in a second`);
        return;
      case 'whereIs':
        this.#tellWhereabouts(message).catch((error: unknown) => this.kill(messageOf(error)));
        return;
      case 'using':
        this.#options.onUsing(message.peers);
        return;
      case 'event':
        this.#options.onEvent(message.event, message.dropped);
        return;
      case 'lanes':
      case 'canary':
        this.#questions.answer(message);
        return;
      case 'asymmetric':
        this.asymmetric = { total: message.total, tokens: message.tokens };
        return;
      case 'workerLost':
        this.#workerLost(message);
        return;
    }
  }

  #welcome({ version, workers, spares }: Extract<DataMessage, { type: 'hello' }>): void {
    const { settings, log } = this.#options;
    if (!understands(version)) throw malformedMessage(`it speaks version ${version}`);
    if (this.isRunning) throw malformedMessage('a second hello');
    const faults = privilegeFaults(this.pid, settings);
    if (faults.length > 0) {
      log('error', 'plane.privileged', { code: 'DATA_PLANE_PRIVILEGED', pid: this.pid, faults });
      this.kill('kept privileges');
      return;
    }
    this.#cancelHello();
    this.state = 'running';
    this.#speaks = version;
    this.crew = { working: workers, spares };
    log('info', 'plane.running', { pid: this.pid, uid: settings.uid, workers: settings.workers });
    this.#reports.running(this);
  }

  #workerLost({ worker, why, working, spares }: WorkerLost): void {
    const { log } = this.#options;
    this.crew = { working, spares };
    this.#held = new Set(); // a spare that takes its place was told none
    log('error', 'plane.worker', {
      code: 'DATA_PLANE_FAILED',
      pid: this.pid,
      worker,
      why,
      working,
      spares,
    });
    this.#reports.workerLost(this);
  }

  async #tellWhereabouts({ id, worker, address }: WhereIs): Promise<void> {
    const isKnown = await this.#options.onWhereIs(address);
    if (!this.#over) this.send({ type: 'whereabouts', id, worker, isKnown });
  }

  /** False where the pod has no sockets, or none now. */
  #fillPool({ worker, podUid, family, want }: PoolLow): boolean {
    const fds = this.#makeSockets(podUid, family, want);
    if (fds.length === 0) return false;
    this.#sendFds(fds, (ticket) => ({
      type: 'sockets',
      ticket,
      worker,
      podUid,
      family,
      count: fds.length,
    }));
    fds.forEach(closeFd);
    return true;
  }

  #makeSockets(podUid: string, family: Family, count: number): readonly number[] {
    const { makeSockets, log } = this.#options;
    try {
      return makeSockets(podUid, family, count);
    } catch (thrown) {
      const error = asTidelockError(thrown, 'plane.makeSockets').toJSON();
      if (this.#poolWarnings.take()) log('warn', 'plane.sockets', { podUid, error });
      return [];
    }
  }

  #sendFds(fds: readonly number[], announce: (ticket: number) => ControlMessage): void {
    if (this.#over) return;
    this.#ticket += 1;
    try {
      if (sendFds(this.#process.fdSocket, this.#ticket, fds)) this.send(announce(this.#ticket));
      else this.kill('does not take its descriptors');
    } catch (error) {
      this.kill(messageOf(error)); // EPIPE: it is ending already
    }
  }
}
