// Connections to peers on which a lane has ended in order: kept for a moment, so that the next lane needs
// no TCP handshake, and neither end a new port. They hold no key; each lane on them opens as the first.
import type { Clock } from '#agent/base/clock.ts';
import type { Leg } from './leg.ts';

/** Less than the shortest deadline that a peer draws for the next opening (strangers.ts). */
const USE_WITHIN_MS = 2500;
/** Per worker; beyond it the oldest is closed, so that a peer which closes none keeps nobody out. */
const MAX_KEPT = 256;

interface Kept {
  readonly place: string;
  readonly wire: Leg;
  readonly sinceMs: number;
}

export class Wires {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept[]>();
  /** The same, in the order of their keeping. */
  readonly #order = new Set<Kept>();
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes over a connection to `place`, an address and port, on which nothing is under way. */
  keep(place: string, wire: Leg): void {
    if (this.#isClosed || !wire.isWhole) {
      wire.destroy();
      return;
    }
    if (this.#order.size >= MAX_KEPT) this.#dropOldest();
    const kept: Kept = { place, wire, sinceMs: this.#clock.monoMs() };
    const all = this.#kept.get(place);
    if (all) all.push(kept);
    else this.#kept.set(place, [kept]);
    this.#order.add(kept);
    wire.owner = {
      data: () => wire.destroy(), // out of turn
      end: () => wire.end(), // not used any more
      drained: () => undefined,
      closed: () => this.#forget(kept),
    };
  }

  /** A connection to `place` whose owner is to be replaced now; undefined: there is none. */
  take(place: string): Leg | undefined {
    const last = this.#kept.get(place)?.at(-1);
    // Later ones wait for their peer to close them, so that the ports in TIME_WAIT are its own.
    if (!last || this.#clock.monoMs() - last.sinceMs > USE_WITHIN_MS) return undefined;
    this.#forget(last);
    if (last.wire.isWhole) return last.wire;
    last.wire.destroy();
    return this.take(place);
  }

  /** Closes all, and what is kept from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { wire } of this.#order) wire.destroy();
  }

  #dropOldest(): void {
    const [oldest] = this.#order;
    if (!oldest) return;
    this.#forget(oldest);
    oldest.wire.destroy();
  }

  #forget(kept: Kept): void {
    if (!this.#order.delete(kept)) return;
    const all = this.#kept.get(kept.place) ?? [];
    all.splice(all.lastIndexOf(kept), 1);
    if (all.length === 0) this.#kept.delete(kept.place);
  }
}
