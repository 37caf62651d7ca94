// A lane that carries one TCP connection (tunnel mode, PROTOCOL 7 and 8): frames one way, the
// application's bytes the other, half-close as FIN, reset as RESET, both ways held back together.
// Opening it is outbound.ts and inbound.ts; its keys are laneKeys.ts.
import { Buffer } from 'node:buffer';
import type { Clock } from '#agent/base/clock.ts';
import {
  FRAME,
  FULL_FRAME_DATA,
  decodeReset,
  encodeReset,
  type FrameType,
  type ResetCode,
} from '#proxy/see/frames.ts';
import type { Frame } from '#proxy/see/opener.ts';
import { Conversation, type CutReason } from './conversation.ts';
import type { CloseReason } from './counters.ts';
import type { LaneReceiver, LaneSender } from './laneKeys.ts';
import type { Leg, LegOwner } from './leg.ts';
import type { Passage } from './passage.ts';
import type { Standing } from './routes.ts';

/** How long a side that has said all waits for the other to close. */
const LINGER_MS = 5000;
/** How long keys are waited for that the other end names before they are here. */
const AWAIT_KEYS_MS = 2000;
const NOTHING = Buffer.alloc(0);

/** How a lane ended: by both FINs, or the first thing that cut it short. */
export type LaneEnd = CloseReason | 'unanswered';

/** The application's side of a lane: its connection, or what stands in for one (innerSide.ts). */
export type LaneSide = Pick<
  Leg,
  | 'owner'
  | 'isClosed'
  | 'isFull'
  | 'isBehind'
  | 'write'
  | 'pause'
  | 'resume'
  | 'end'
  | 'flush'
  | 'reset'
  | 'keepAlive'
>;

/** What the other end is told when this one cuts a lane. */
const CUT_CODES: Readonly<Record<CutReason, ResetCode>> = {
  policy: 'policy',
  trust: 'trust',
  'pod-gone': 'application',
  'half-closed': 'application',
  keys: 'keys',
  shutdown: 'shutdown',
};

export interface LaneParts {
  readonly app: LaneSide;
  readonly wire: Leg;
  readonly sender: LaneSender;
  readonly standing: Standing;
  readonly clock: Clock;
  readonly passage: Passage;
  /** At the end that opened the lane: reads what comes before the receiving direction is open. */
  readonly reply?: (bytes: Buffer) => void;
  /**
   * Takes the wire over once both ends have said all, with what was read of it after that; undefined:
   * it is closed then.
   */
  readonly free: ((wire: Leg, rest: Buffer) => void) | undefined;
  /** Called once, when both legs are gone and the keys overwritten. */
  readonly done: (how: LaneEnd, detail: string) => void;
}

export class Lane extends Conversation {
  readonly standing: Standing;
  readonly passage: Passage;
  readonly #parts: LaneParts;
  readonly #put = (frame: Buffer): void => this.#parts.wire.write(frame);
  #receiver: LaneReceiver | undefined;
  #finSent = false;
  #finReceived = false;
  #ending: LaneEnd | undefined;
  #detail = '';
  #cancelLinger: (() => void) | undefined;
  #isReading = false;
  /** What came behind a KEYUPDATE whose keys are not here yet. */
  #behind = NOTHING;
  #cancelAwait: (() => void) | undefined;
  /** All is said and written: the wire may carry the next lane. */
  #isFree = false;
  /** False once `free` has it. */
  #hasWire = true;
  #isKeptAlive = false;

  /** Takes both legs over. */
  constructor(parts: LaneParts) {
    super();
    this.#parts = parts;
    this.standing = parts.standing;
    this.passage = parts.passage;
    parts.app.owner = this.#appOwner();
    parts.wire.owner = this.#wireOwner();
  }

  /** Undefined before the reply and after the other end's FIN. */
  get heardUnder(): string | undefined {
    return this.#finReceived ? undefined : this.#receiver?.peerSid;
  }

  get isHeldBack(): boolean {
    return this.#parts.app.isFull;
  }

  get isBehind(): boolean {
    const { app, wire } = this.#parts;
    return app.isBehind || (this.#hasWire && wire.isBehind);
  }

  get isHalfClosed(): boolean {
    return this.#finSent || this.#finReceived;
  }

  /** Opens the receiving direction: from here on frames arrive. */
  begin(receiver: LaneReceiver): void {
    this.#receiver = receiver;
  }

  /** A client's lane was accepted: it goes on under `c2s` (PROTOCOL 7, kind 0). */
  accept(c2s: Buffer, receiver: LaneReceiver): void {
    this.begin(receiver);
    this.#parts.sender.begin(c2s);
  }

  /** Bytes that arrived before begin(). */
  hear(bytes: Buffer): void {
    if (bytes.length > 0) this.#read(bytes);
  }

  /** Ends both sides without a word to the other end: it never answered, or said no. */
  giveUp(detail: string): void {
    this.#drop('unanswered', detail);
  }

  /** Seals bytes of the application; before the reply as early data. */
  send(bytes: Buffer): void {
    if (this.#ending) return;
    this.passage.sent(bytes.length);
    for (let at = 0; at < bytes.length; at += FULL_FRAME_DATA) {
      this.#write(FRAME.data, bytes.subarray(at, at + FULL_FRAME_DATA));
    }
    if (this.#parts.wire.isFull) this.#parts.app.pause();
  }

  refresh(): void {
    this.#keepAlive();
    if (this.#ending) return;
    this.#parts.sender.update(this.#put);
    this.#readOn();
  }

  cut(why: CutReason): void {
    this.#parts.app.reset(); // now, though somebody be slow to hear what was said
    if (this.#ending && this.#hasWire) this.#parts.wire.reset();
    this.#abort(why, CUT_CODES[why], '');
  }

  /** At its first slot change: a lane that is over by then needs none. */
  #keepAlive(): void {
    if (this.#isKeptAlive) return;
    this.#isKeptAlive = true;
    this.#parts.app.keepAlive();
    if (this.#hasWire) this.#parts.wire.keepAlive();
  }

  #appOwner(): LegOwner {
    return {
      data: (bytes) => this.send(bytes),
      end: () => this.#finish(),
      drained: () => {
        if (this.#hasWire && !this.#cancelAwait) this.#parts.wire.resume();
      },
      closed: (failed) => {
        if (failed || !this.#finSent) this.#abort('application-reset', 'application', '');
        this.#settle();
      },
    };
  }

  #wireOwner(): LegOwner {
    return {
      data: (bytes) => this.#read(bytes),
      end: () => {
        if (this.#ending === 'clean') this.#parts.wire.end();
        else this.#wireEnded();
      },
      drained: () => this.#parts.app.resume(),
      closed: () => {
        this.#wireEnded();
        this.#settle();
      },
    };
  }

  #finish(): void {
    if (this.#ending || this.#finSent) return;
    this.#write(FRAME.fin, NOTHING);
    this.#finSent = true;
    // Its keys have no more use, and no KEYUPDATE replaces them: the other direction may live for hours.
    this.#parts.sender.close();
    this.#maybeClose();
  }

  #read(bytes: Buffer): void {
    if (this.#ending) return; // read and discarded, so that what was sent is not lost to a RST
    if (!this.#receiver) {
      this.#parts.reply?.(bytes);
      return;
    }
    this.#isReading = true;
    const failure = this.#receiver.push(bytes, (frame) => this.#take(frame));
    this.#isReading = false;
    if (failure === undefined) {
      if (this.#receiver.isWaiting) {
        this.#awaitKeys(bytes.subarray(bytes.length - this.#receiver.unread));
        return;
      }
      if (this.#isFree) {
        this.#freeWire(bytes.subarray(bytes.length - this.#receiver.unread));
        return;
      }
      if (this.#finReceived && this.#receiver.unread > 0) {
        this.#abort('protocol', 'protocol', 'bytes after FIN');
      } else if (this.#parts.app.isFull) this.#parts.wire.pause();
      return;
    }
    if (failure === 'forged' || failure === 'length') {
      this.passage.count('forgedFrames');
      this.#drop('forged', failure);
      return;
    }
    this.#abort(failure === 'update' ? 'keys' : 'protocol', 'protocol', failure);
  }

  /** Reads no more until the keys are here that the other end has turned to, or it is too late. */
  #awaitKeys(behind: Buffer): void {
    const { wire, clock } = this.#parts;
    wire.pause();
    this.#behind = Buffer.from(behind); // the shared buffer is read into again meanwhile
    wire.held.count(behind.length);
    this.#cancelAwait = clock.after(AWAIT_KEYS_MS, () => this.#abort('keys', 'protocol', 'update'));
  }

  #forgetBehind(): void {
    this.#parts.wire.held.count(-this.#behind.length);
    this.#behind = NOTHING;
  }

  /** Goes on where #awaitKeys() stopped, if the keys have come. */
  #readOn(): void {
    if (!this.#cancelAwait || !this.#receiver?.resume()) return;
    this.#cancelAwait();
    this.#cancelAwait = undefined;
    const behind = this.#behind;
    this.#forgetBehind();
    this.hear(behind);
    if (this.#hasWire && !this.#ending && !this.#cancelAwait && !this.#parts.app.isFull) {
      this.#parts.wire.resume();
    }
  }

  #take({ type, data }: Frame): void {
    const { app } = this.#parts;
    switch (type) {
      case FRAME.data: {
        this.passage.received(data.length);
        return app.write(data);
      }
      case FRAME.fin:
        this.#finReceived = true;
        this.#receiver?.close();
        app.end();
        return this.#maybeClose();
      case FRAME.reset:
        return this.#drop('peer-reset', decodeReset(data));
      case FRAME.pad:
      case FRAME.ping:
        return undefined;
      case FRAME.car:
      case FRAME.keyUpdate:
        return this.#abort('protocol', 'protocol', `frame type ${type} in a tunnel`);
    }
  }

  /** A TCP end that no FIN announced is a truncation, however it came. */
  #wireEnded(): void {
    if (this.#ending) return;
    if (!this.#receiver) this.#drop('unanswered', 'closed without a reply');
    else this.#drop('truncated', this.#receiver.atBoundary ? 'between frames' : 'within a frame');
  }

  #maybeClose(): void {
    if (!this.#finSent || !this.#finReceived) return;
    this.#ending = 'clean';
    if (this.#parts.free && this.#parts.wire.flush()) {
      this.#isFree = true;
      if (this.#isReading) this.#receiver?.stop();
      else this.#freeWire(NOTHING);
      return;
    }
    // Who closes first keeps the port for a minute (TIME_WAIT, RFC 9293 3.6.1): the end that listens
    // has the same port for all lanes, the end that opened has a few ten thousand.
    if (this.#parts.reply && this.#parts.wire.flush()) this.#awaitClose();
    else this.#closeWire(); // a slow pod has all the time it needs to read what still waits
  }

  #write(type: FrameType, data: Buffer): void {
    if (!this.#parts.sender.seal(type, data, this.#put)) this.#drop('keys', 'sending key used up');
  }

  /** Ends the lane and tells the other end: by a TCP RST where this end has said FIN. */
  #abort(how: LaneEnd, code: ResetCode, detail: string): void {
    if (this.#ending) return;
    this.#ending = how;
    this.#detail = detail;
    const isTold = this.#parts.sender.seal(FRAME.reset, encodeReset(code), this.#put);
    this.passage.count('resets');
    this.#resetApp();
    if (isTold) this.#closeWire();
    else this.#parts.wire.reset();
  }

  /** Ends the lane at once: there is nobody to tell, or nothing that would be believed. */
  #drop(how: LaneEnd, detail: string): void {
    if (this.#ending) return;
    this.#ending = how;
    this.#detail = detail;
    this.passage.count('resets');
    this.#resetApp();
    this.#parts.wire.reset();
  }

  /** A RST behind what was authentic, as TCP itself delivers it. */
  #resetApp(): void {
    const { app } = this.#parts;
    this.#receiver?.stop();
    app.flush();
    app.reset();
  }

  /** The application may still be reading what it was sent; the wire is not needed for that. */
  #freeWire(rest: Buffer): void {
    const { wire, free, sender } = this.#parts;
    this.#hasWire = false;
    sender.close();
    this.#receiver?.close();
    wire.resume();
    free?.(wire, rest);
    this.#settle();
  }

  #closeWire(): void {
    // What the kernel has taken is delivered even if this end then closes without waiting.
    if (this.#ending !== 'clean') this.#linger();
    this.#parts.wire.resume(); // to see the other end close
    this.#parts.wire.end(() => this.#linger());
  }

  #awaitClose(): void {
    this.#linger();
    this.#parts.wire.resume();
  }

  #linger(): void {
    const { wire, clock } = this.#parts;
    this.#cancelLinger ??= clock.after(LINGER_MS, () => wire.destroy());
  }

  #settle(): void {
    const { app, wire, sender, done } = this.#parts;
    if (!app.isClosed || (this.#hasWire && !wire.isClosed)) return;
    this.#cancelLinger?.();
    this.#cancelAwait?.();
    this.#forgetBehind();
    sender.close();
    this.#receiver?.close();
    done(this.#ending ?? 'truncated', this.#detail);
  }
}
