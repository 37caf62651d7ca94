// One TCP side of a relayed connection, from its descriptor to its close. Reads arrive in a buffer that
// all legs of a thread share; what is written in one turn leaves in one system call. Knows no lane and no frame.
import { Buffer } from 'node:buffer';
import koffi from 'koffi';
import type { Clock } from '#agent/base/clock.ts';
import { EPOLL } from '#proxy/native/epoll.ts';
import {
  FAILED,
  WOULD_BLOCK,
  endOnClose,
  errnoName,
  finish,
  pendingError,
  receive,
  resetOnClose,
  setKeepAlive,
  startConnecting,
  transmit,
  type KeepAlive,
} from '#proxy/native/stream.ts';
import { MAX_WAITING_BYTES, READS, type HeldBytes } from './heldBytes.ts';
import type { Reactor, Task, Watched } from './reactor.ts';
import { Waiting } from './waiting.ts';

/** What a leg tells its owner, never from within a call to the leg. Nothing follows `closed`. */
export interface LegOwner {
  /** Bytes read, in the shared buffer: valid until this returns. */
  data(bytes: Buffer): void;
  /** The other end closed its direction; it may still read. */
  end(): void;
  /** Nothing is waiting to be written any more, after the leg was full. */
  drained(): void;
  /** The connection is gone; `failed` when not this side ended it. Called once. */
  closed(failed: boolean): void;
}

/** An owner that lets everything pass, until another takes over. */
export const NOBODY: LegOwner = {
  data: () => undefined,
  end: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};

/** So much is written at once instead of copied and written at the end of the turn. */
const AT_ONCE_BYTES = 16 << 10;
/** So often it is written in one turn: others have theirs before what waits behind that. */
const MAX_WRITES = 16;
/** An end that vanished is noticed after two minutes; within those a link may fail and come back. */
const KEEP_ALIVE: KeepAlive = { idleSeconds: 60, everySeconds: 15, times: 4 };
/** How long what is written "soon" waits for company, milliseconds: a busy application answers after some ten. */
const SOON_MS = 25;

export class Leg implements Watched, Task {
  /** Set by whoever takes the connection over. */
  owner: LegOwner;
  readonly #reactor: Reactor;
  readonly #fd: number;
  /** Until connected: who waits for it. */
  #connected: (() => void) | undefined;
  #failure: string | undefined;
  #isClosed = false;
  #isTold = false;
  #isPaused = false;
  /** The kernel may have something to read; false: the next event will say so. */
  #isReadable = false;
  /** To be run in the next turn. */
  #isListed = false;
  /** Nothing more will arrive than what waits in the kernel. */
  #isHungUp = false;
  #hasEnded = false;
  /** A read stops at urgent data (tcp(7)), so that a short one does not mean that nothing is left. */
  #readsShort = false;
  readonly #waiting: Waiting;
  /** The kernel takes no more for now. */
  #isBlocked = false;
  /** Too much waited, and the owner is to be told when all is written. */
  #isFull = false;
  #isDue = false;
  #isEnding = false;
  #isFinished = false;
  #resetsIfKilled = false;
  #sent: (() => void) | undefined;
  /** Written by writeSoon() and not yet queued. */
  #soon: Buffer[] = [];
  #cancelSoon: () => void = () => undefined;

  private constructor(reactor: Reactor, fd: number, owner: LegOwner) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.owner = owner;
    this.#waiting = new Waiting(reactor.held);
  }

  /** Takes over the descriptor of a connection that was accepted, and reads from it. */
  static accepted(reactor: Reactor, fd: number, owner: LegOwner): Leg {
    const leg = new Leg(reactor, fd, owner);
    reactor.watch(fd, leg);
    return leg;
  }

  /**
   * Takes over the descriptor of a new socket and connects it to an encodeSockaddr(): `connected` is
   * told, or the owner that it closed.
   */
  static connecting(
    reactor: Reactor,
    fd: number,
    to: Buffer,
    owner: LegOwner,
    connected: () => void,
  ): Leg {
    const leg = new Leg(reactor, fd, owner);
    leg.#connected = connected;
    const isStarted = startConnecting(fd, to);
    const errno = koffi.errno();
    reactor.watch(fd, leg);
    if (!isStarted) leg.#fail(errno);
    return leg;
  }

  /** True once its owner was told. */
  get isClosed(): boolean {
    return this.#isTold;
  }

  /** Where what this thread holds is counted. */
  get held(): HeldBytes {
    return this.#reactor.held;
  }

  /** True while both directions are open, as far as the kernel has told. */
  get isWhole(): boolean {
    return !this.#isClosed && !this.#isEnding && !this.#isHungUp;
  }

  /** True once end() was called. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** True from when so much waits that its feeder should pause, until `drained`. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** True while something waits that the kernel does not take. */
  get isBehind(): boolean {
    return this.#waiting.bytes > 0;
  }

  /** Why it failed, by the name of the errno; undefined: it did not. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Writes `bytes`, which it reads before it returns: at once if they are many, else with all of this turn. */
  write(bytes: Buffer): void {
    if (this.#isEnding || this.#isClosed) return;
    if (this.#soon.length > 0) this.#queueSoon();
    this.#queue(bytes);
  }

  /** Writes `bytes` with the next that are written, or alone after SOON_MS: one segment, one wake-up. */
  writeSoon(clock: Clock, bytes: Buffer): void {
    this.#soon.push(Buffer.from(bytes));
    this.#cancelSoon();
    this.#cancelSoon = clock.after(SOON_MS, () => this.#queueSoon());
  }

  /** Writes what waits now instead of at the end of the turn; false: the kernel does not take all of it. */
  flush(): boolean {
    if (this.#soon.length > 0) this.#queueSoon();
    this.#flush();
    return this.#waiting.bytes === 0 && !this.#isClosed;
  }

  /** Reads no more than is being handed over. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isReadable) this.#goOn();
  }

  /** FIN after what is queued; `sent` is called when the kernel has all of it. */
  end(sent?: () => void): void {
    if (this.#soon.length > 0) this.#queueSoon();
    if (sent) this.#sent = sent;
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    this.#flushLate();
  }

  /** RST at once; what is queued is lost. */
  reset(): void {
    if (this.#isClosed) return;
    resetOnClose(this.#fd);
    this.#close();
  }

  /** Should this process be killed before end(), the program sees a reset: what was cut off is no clean end. */
  resetIfKilled(): void {
    this.#resetsIfKilled = true;
    resetOnClose(this.#fd);
  }

  /** Closes at once: FIN, or RST where bytes were left unread. */
  destroy(): void {
    if (!this.#isClosed) this.#close();
  }

  /**
   * Reads what has come by now instead of in the next turn: whoever has just taken the leg over wants to
   * hand it on with what it is about to write. The owner is told from within this call.
   */
  readNow(): void {
    this.#isReadable = true;
    this.#read();
  }

  /** Lets the kernel find out, when all is quiet, whether the other end still lives. */
  keepAlive(times = KEEP_ALIVE): void {
    if (!this.#isClosed) setKeepAlive(this.#fd, times);
  }

  /** Called by the reactor. */
  ready(events: number): void {
    if (this.#isClosed) return;
    const isBroken = (events & (EPOLL.error | EPOLL.hangup)) !== 0;
    if (this.#connected && (isBroken || events & EPOLL.out)) {
      this.#concludeConnecting(isBroken ? pendingError(this.#fd) : 0);
    } else if (events & EPOLL.error && (this.#isPaused || this.#hasEnded)) {
      this.#fail(pendingError(this.#fd)); // no read would come upon it
      return;
    }
    if (isBroken || events & (EPOLL.in | EPOLL.urgent | EPOLL.peerClosed)) this.#isReadable = true;
    if (events & EPOLL.urgent) this.#readsShort = true;
    if (isBroken || events & EPOLL.peerClosed) this.#isHungUp = true;
    if (events & EPOLL.out && this.#isBlocked) {
      this.#isBlocked = false;
      this.#flush();
    }
    this.#read();
  }

  /** Called by the reactor: reads on, writes what is due, or tells that it has closed. */
  run(): void {
    this.#isListed = false;
    if (this.#isClosed) {
      this.#tellClosed();
      return;
    }
    if (this.#isDue) this.#flush();
    this.#read();
  }

  #concludeConnecting(errno: number): void {
    const connected = this.#connected;
    if (errno !== 0) {
      this.#fail(errno);
      return;
    }
    this.#connected = undefined;
    connected?.();
    this.#flush();
  }

  /** One read: others have their turn before the next. */
  #read(): void {
    if (!this.#isReadable || this.#isPaused || this.#connected || this.#isClosed) return;
    if (this.#hasEnded) return;
    const into = READS[this.#reactor.held.pressure];
    const length = receive(this.#fd, into);
    if (length === WOULD_BLOCK) {
      this.#isReadable = false;
      return;
    }
    if (length === FAILED) {
      this.#fail(koffi.errno());
      return;
    }
    if (length === 0) {
      this.#hasEnded = true;
      this.owner.end();
      this.#closeWhenOver();
      return;
    }
    // Less than was asked for is all there was, unless an end waits behind it (epoll(7), "edge").
    if (length < into.length && !this.#isHungUp && !this.#readsShort) this.#isReadable = false;
    this.owner.data(into.subarray(0, length));
    if (this.#isReadable && !this.#isPaused) this.#goOn();
  }

  /** In the next turn. */
  #goOn(): void {
    if (this.#isListed) return;
    this.#isListed = true;
    this.#reactor.again(this);
  }

  #queueSoon(): void {
    const soon = this.#soon;
    this.#soon = [];
    this.#cancelSoon();
    for (const bytes of soon) this.#queue(bytes);
  }

  #queue(bytes: Buffer): void {
    let rest = bytes;
    if (bytes.length >= AT_ONCE_BYTES && this.#mayTransmit()) {
      if (this.#waiting.bytes > 0) this.#flush();
      if (this.#waiting.bytes === 0) rest = bytes.subarray(this.#transmit(bytes, false));
    }
    if (rest.length === 0 || this.#isClosed) return;
    this.#waiting.push(rest);
    const { pressure } = this.#reactor.held;
    if (this.#waiting.bytes > MAX_WAITING_BYTES[pressure]) this.#isFull = true;
    this.#flushLate();
  }

  #flushLate(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#reactor.late(this);
  }

  #flush(): void {
    this.#isDue = false;
    for (let writes = 0; this.#waiting.bytes > 0; writes += 1) {
      if (!this.#mayTransmit()) {
        this.#waiting.outlast();
        return;
      }
      if (writes === MAX_WRITES) {
        this.#isDue = true;
        this.#goOn();
        return;
      }
      const { first } = this.#waiting;
      this.#waiting.drop(this.#transmit(first, first.length < this.#waiting.bytes));
    }
    if (this.#isFull) {
      this.#isFull = false;
      this.#reactor.late({ run: () => this.#isClosed || this.owner.drained() });
    }
    if (this.#isEnding && !this.#isFinished && this.#mayTransmit()) this.#finish();
  }

  #mayTransmit(): boolean {
    return !this.#isBlocked && !this.#isClosed && !this.#connected;
  }

  /** How many bytes the kernel took; with `more` it waits for the next ones. */
  #transmit(bytes: Buffer, more: boolean): number {
    const length = transmit(this.#fd, bytes, more);
    if (length >= 0) {
      this.#reactor.served();
      return length;
    }
    if (length === WOULD_BLOCK) this.#isBlocked = true;
    else this.#fail(koffi.errno());
    return 0;
  }

  #finish(): void {
    this.#isFinished = true;
    if (this.#resetsIfKilled) endOnClose(this.#fd);
    if (!this.#hasEnded) finish(this.#fd); // else close() says so
    this.#sent?.();
    this.#closeWhenOver();
  }

  #closeWhenOver(): void {
    if (this.#hasEnded && this.#isFinished && !this.#isClosed) this.#close();
  }

  #fail(errno: number): void {
    this.#failure = errnoName(errno);
    this.#close();
  }

  #close(): void {
    this.#isClosed = true;
    this.#waiting.clear();
    this.#soon = [];
    this.#cancelSoon();
    this.#reactor.close(this.#fd);
    this.#reactor.late(this);
  }

  #tellClosed(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.owner.closed(this.#failure !== undefined);
  }
}
