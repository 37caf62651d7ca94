// Silence towards whoever has not shown a key (PROTOCOL 6, G8): how long and how much is read from a
// connection is drawn when it is accepted, whatever it turns out to be; then FIN, and never a byte.
import type { Clock } from '#agent/base/clock.ts';
import type { CounterRow } from './counters.ts';
import type { Leg, LegOwner } from './leg.ts';
import { Linked, LinkedList } from './linked.ts';

/** Drawn uniformly; the least time suffices for an opening over any usable link. */
const DEADLINE_MS = { min: 4000, max: 12_000 };
/** Drawn uniformly; the least amount is more than the longest opening. */
const LIMIT_BYTES = { min: 16 << 10, max: 64 << 10 };
/** Per worker: what connections have sent that may yet turn out to be openings. */
const MAX_HELD_BYTES = 16 << 20;
/** How long such bytes are looked at again as keys and statements change, and a drain waits: what is on its way comes by then. */
const EARLY_MS = 2000;
/** How exact deadlines are: one timer serves all. */
const SWEEP_MS = 250;
/** After the FIN, how long what still arrives is read before the socket is given up. */
const AFTER_FIN_MS = 4000;

/** A connection that has shown no key yet. */
export class Stranger extends Linked {
  readonly leg: Leg;
  /** A lane has ended on it: it is waited for like any other and not counted as a stranger. */
  readonly isKnown: boolean;
  /** Looks again at what it has sent, for the last time or not. */
  readonly reconsider: (isLast: boolean) => void;
  deadlineMs: number;
  bytesLeft: number;
  readonly sinceMs: number;
  /** How many of its bytes are kept, and since when. */
  heldBytes = 0;
  heldSinceMs = 0;

  constructor(
    leg: Leg,
    { isKnown, reconsider }: Waiting,
    until: Pick<Stranger, 'sinceMs' | 'deadlineMs' | 'bytesLeft'>,
  ) {
    super();
    this.leg = leg;
    this.isKnown = isKnown;
    this.reconsider = reconsider;
    this.sinceMs = until.sinceMs;
    this.deadlineMs = until.deadlineMs;
    this.bytesLeft = until.bytesLeft;
  }
}

/** What whoever waits for an opening says of it. */
export type Waiting = Pick<Stranger, 'isKnown' | 'reconsider'>;

/** One that has shown a key and was denied: neither a stranger nor anything to wait for. */
const DISMISSED: Waiting = { isKnown: true, reconsider: () => undefined };

/** How many of each kind a worker keeps; beyond it the oldest of that kind goes. */
export interface StrangerLimits {
  /** Those that have shown no key. */
  readonly open: number;
  /** Those on which a lane has ended. */
  readonly known: number;
  /** Those that got their FIN and have not closed, denied openers too. */
  readonly ending: number;
}

export class Strangers {
  readonly #clock: Clock;
  /** A number in [0, 1). */
  readonly #random: () => number;
  readonly #counters: CounterRow;
  readonly #max: StrangerLimits;
  /** In the order of arrival. */
  readonly #open = new LinkedList<Stranger>();
  /** In the order in which their lanes ended; apart, so that no number of strangers pushes one out. */
  readonly #known = new LinkedList<Stranger>();
  /** In the order of their FIN. */
  readonly #ending = new LinkedList<Stranger>();
  #heldBytes = 0;
  #cancelSweep: (() => void) | undefined;

  /** Over `max.open` and `max.known` the oldest gets its FIN now, over `max.ending` the oldest is closed. */
  constructor(clock: Clock, random: () => number, counters: CounterRow, max: StrangerLimits) {
    this.#clock = clock;
    this.#random = random;
    this.#counters = counters;
    this.#max = max;
  }

  /** Draws deadline and limit of a connection that was just accepted, or on which a lane has ended. */
  add(leg: Leg, waiting: Waiting): Stranger {
    const sinceMs = this.#clock.monoMs();
    const stranger = new Stranger(leg, waiting, {
      sinceMs,
      deadlineMs: sinceMs + this.#draw(DEADLINE_MS),
      bytesLeft: this.#draw(LIMIT_BYTES),
    });
    const list = waiting.isKnown ? this.#known : this.#open;
    list.add(stranger);
    if (!waiting.isKnown) this.#counters.add('strangersOpen');
    const max = waiting.isKnown ? this.#max.known : this.#max.open;
    const oldest = list.size > max ? list.first : undefined;
    if (oldest) this.#end(oldest);
    this.#armSweep();
    return stranger;
  }

  /** It has shown a key: the deadline no longer applies. */
  release(stranger: Stranger): void {
    this.#forget(stranger);
    const wasHere = this.#leave(stranger) || this.#ending.delete(stranger);
    if (wasHere && !stranger.isKnown) this.#counters.add('strangersOpen', -1);
  }

  /** It has shown that it holds none: reads and discards until the limit or the deadline. */
  ignore(stranger: Stranger): void {
    this.#counters.add('strangers');
    this.#forget(stranger);
    stranger.leg.owner = this.#silence(stranger);
  }

  /** Whether the first `length` bytes of it may be kept; counts them if so. */
  mayHold(stranger: Stranger, length: number): boolean {
    const heldBytes = this.#heldBytes - stranger.heldBytes + length;
    if (heldBytes > MAX_HELD_BYTES) return false;
    this.#heldBytes = heldBytes;
    if (stranger.heldBytes === 0) stranger.heldSinceMs = this.#clock.monoMs();
    stranger.heldBytes = length;
    return true;
  }

  /** A denied opener gets its FIN behind its reply, and is closed like those that have shown no key. */
  dismiss(leg: Leg): void {
    this.#finish(new Stranger(leg, DISMISSED, { sinceMs: 0, deadlineMs: 0, bytesLeft: Infinity }));
    this.#armSweep();
  }

  /** Closes one to whom nothing is owed any more, since descriptors are short; false: there is none. */
  makeRoom(): boolean {
    const oldest = this.#ending.first ?? this.#known.first ?? this.#open.first;
    if (!oldest) return false;
    this.release(oldest);
    oldest.leg.destroy();
    return true;
  }

  /** Whether an opening may be on its way, or lie here until its keys come: not that of who has taken long. */
  get areAwaited(): boolean {
    const nowMs = this.#clock.monoMs();
    return this.#waiting().some(({ leg, sinceMs, heldBytes, heldSinceMs }) => {
      const isHeld = heldBytes > 0 && nowMs < heldSinceMs + EARLY_MS;
      return (nowMs < sinceMs + EARLY_MS || isHeld) && !leg.isEnding;
    });
  }

  /** Keys or statements have changed: what was none may be an opening now. */
  reconsider(): void {
    for (const stranger of this.#waiting()) if (stranger.heldBytes > 0) stranger.reconsider(false);
  }

  /** Counts what has been read; past the limit the stranger gets its FIN. */
  count(stranger: Stranger, length: number): void {
    stranger.bytesLeft -= length;
    if (stranger.bytesLeft < 0) this.#end(stranger);
  }

  close(): void {
    this.#cancelSweep?.();
    for (const { leg } of [...this.#waiting(), ...this.#ending.toArray()]) leg.destroy();
  }

  #silence(stranger: Stranger): LegOwner {
    return {
      data: (bytes) => this.count(stranger, bytes.length),
      end: () => undefined, // its own FIN changes nothing: ours comes when it was drawn
      drained: () => undefined,
      closed: () => this.release(stranger),
    };
  }

  #end(stranger: Stranger): void {
    if (!this.#leave(stranger)) return;
    this.#forget(stranger);
    this.#finish(stranger);
  }

  /** Its FIN now, and then so much time to close. */
  #finish(stranger: Stranger): void {
    this.#ending.add(stranger);
    stranger.leg.owner = this.#silence(stranger);
    stranger.leg.end();
    stranger.deadlineMs = this.#clock.monoMs() + AFTER_FIN_MS;
    const oldest = this.#ending.size > this.#max.ending ? this.#ending.first : undefined;
    if (!oldest) return;
    this.release(oldest);
    oldest.leg.destroy();
  }

  /** All that may still open a lane. */
  #waiting(): Stranger[] {
    return [...this.#open.toArray(), ...this.#known.toArray()];
  }

  #leave(stranger: Stranger): boolean {
    return this.#open.delete(stranger) || this.#known.delete(stranger);
  }

  #forget(stranger: Stranger): void {
    this.#heldBytes -= stranger.heldBytes;
    stranger.heldBytes = 0;
  }

  #armSweep(): void {
    this.#cancelSweep ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#clock.monoMs();
    for (const stranger of this.#ending.toArray())
      if (stranger.deadlineMs <= nowMs) stranger.leg.destroy();
    for (const stranger of this.#waiting()) {
      const isOverdue = stranger.heldBytes > 0 && stranger.heldSinceMs + EARLY_MS <= nowMs;
      if (stranger.deadlineMs <= nowMs) this.#end(stranger);
      else if (isOverdue) stranger.reconsider(true);
    }
    if (this.#open.size + this.#known.size + this.#ending.size === 0) return;
    this.#armSweep();
  }

  #draw({ min, max }: { readonly min: number; readonly max: number }): number {
    return min + Math.floor(this.#random() * (max - min));
  }
}
