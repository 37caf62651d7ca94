// Silence towards whoever has not shown a key (PROTOCOL 6, G8): how long and how much is read from a
// connection is drawn when it is accepted, whatever it turns out to be; then FIN, and never a byte.
import type { Clock } from '#agent/base/clock.ts';
import type { CounterRow } from './counters.ts';
import type { Leg, LegOwner } from './leg.ts';

/** Drawn uniformly; the least time suffices for an opening over any usable link. */
const DEADLINE_MS = { min: 4000, max: 12_000 };
/** Drawn uniformly; the least amount is more than the longest opening. */
const LIMIT_BYTES = { min: 16 << 10, max: 64 << 10 };
/** Per worker: connections that have shown no key, and those that got their FIN and have not closed. */
const MAX_STRANGERS = { open: 2048, ending: 2048 };
/** How exact deadlines are: one timer serves all. */
const SWEEP_MS = 250;
/** After the FIN, how long what still arrives is read before the socket is given up. */
const AFTER_FIN_MS = 4000;

/** A connection that has shown no key yet. */
export interface Stranger {
  readonly leg: Leg;
  /** A lane has ended on it: it is waited for like any other and not counted as a stranger. */
  readonly isKnown: boolean;
  deadlineMs: number;
  bytesLeft: number;
}

export class Strangers {
  readonly #clock: Clock;
  /** A number in [0, 1). */
  readonly #random: () => number;
  readonly #counters: CounterRow;
  readonly #max: typeof MAX_STRANGERS;
  /** In the order of arrival. */
  readonly #open = new Set<Stranger>();
  /** In the order of their FIN. */
  readonly #ending = new Set<Stranger>();
  #cancelSweep: (() => void) | undefined;

  /** Over `max.open` the oldest gets its FIN now, over `max.ending` the oldest is closed. */
  constructor(
    clock: Clock,
    random: () => number,
    counters: CounterRow,
    max: { readonly open: number; readonly ending: number } = MAX_STRANGERS,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#counters = counters;
    this.#max = max;
  }

  /** Draws deadline and limit of a connection that was just accepted, or on which a lane has ended. */
  add(leg: Leg, isKnown = false): Stranger {
    const stranger: Stranger = {
      leg,
      isKnown,
      deadlineMs: this.#clock.monoMs() + this.#draw(DEADLINE_MS),
      bytesLeft: this.#draw(LIMIT_BYTES),
    };
    this.#open.add(stranger);
    if (!isKnown) this.#counters.add('strangersOpen');
    const oldest = this.#open.size > this.#max.open ? first(this.#open) : undefined;
    if (oldest) this.#end(oldest);
    this.#cancelSweep ??= this.#clock.after(SWEEP_MS, () => this.#sweep());
    return stranger;
  }

  /** It has shown a key: the deadline no longer applies. */
  release(stranger: Stranger): void {
    const isHeld = this.#open.delete(stranger) || this.#ending.delete(stranger);
    if (isHeld && !stranger.isKnown) this.#counters.add('strangersOpen', -1);
  }

  /** It has shown that it holds none: reads and discards until the limit or the deadline. */
  ignore(stranger: Stranger): void {
    this.#counters.add('strangers');
    stranger.leg.owner = this.#silence(stranger);
  }

  /** Counts what has been read; past the limit the stranger gets its FIN. */
  count(stranger: Stranger, length: number): void {
    stranger.bytesLeft -= length;
    if (stranger.bytesLeft < 0) this.#end(stranger);
  }

  close(): void {
    this.#cancelSweep?.();
    for (const { leg } of [...this.#open, ...this.#ending]) leg.destroy();
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
    if (!this.#open.delete(stranger)) return;
    this.#ending.add(stranger);
    stranger.leg.owner = this.#silence(stranger);
    stranger.leg.end();
    stranger.deadlineMs = this.#clock.monoMs() + AFTER_FIN_MS;
    const oldest = this.#ending.size > this.#max.ending ? first(this.#ending) : undefined;
    if (!oldest) return;
    this.release(oldest);
    oldest.leg.destroy();
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#clock.monoMs();
    for (const stranger of this.#ending) if (stranger.deadlineMs <= nowMs) stranger.leg.destroy();
    for (const stranger of this.#open) if (stranger.deadlineMs <= nowMs) this.#end(stranger);
    if (this.#open.size + this.#ending.size === 0) return;
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  #draw({ min, max }: { readonly min: number; readonly max: number }): number {
    return min + Math.floor(this.#random() * (max - min));
  }
}

const first = <T>(set: ReadonlySet<T>): T | undefined => set.values().next().value;
