// Connections to peers on which a lane has ended in order: kept for a moment, so that the next lane needs
// no TCP handshake, and neither end a new port. They hold no key; each lane on them opens as the first.
import type { Clock } from '#agent/base/clock.ts';
import type { Leg } from './leg.ts';

/** Less than the shortest deadline that a peer draws for the next opening (strangers.ts). */
const USE_WITHIN_MS = 2500;
/** Per worker; more are closed. */
const MAX_KEPT = 256;

interface Kept {
  readonly wire: Leg;
  readonly sinceMs: number;
}

export class Wires {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept[]>();
  #count = 0;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes over a connection to `place`, an address and port, on which nothing is under way. */
  keep(place: string, wire: Leg): void {
    if (this.#isClosed || this.#count >= MAX_KEPT) {
      wire.destroy();
      return;
    }
    const kept: Kept = { wire, sinceMs: this.#clock.monoMs() };
    const all = this.#kept.get(place);
    if (all) all.push(kept);
    else this.#kept.set(place, [kept]);
    this.#count += 1;
    wire.owner = {
      data: () => wire.destroy(), // out of turn
      end: () => wire.end(), // not used any more
      drained: () => undefined,
      closed: () => this.#forget(place, kept),
    };
  }

  /** A connection to `place` whose owner is to be replaced now; undefined: there is none. */
  take(place: string): Leg | undefined {
    const last = this.#kept.get(place)?.at(-1);
    // Later ones wait for their peer to close them, so that the ports in TIME_WAIT are its own.
    if (!last || this.#clock.monoMs() - last.sinceMs > USE_WITHIN_MS) return undefined;
    this.#forget(place, last);
    return last.wire.isEnding || last.wire.isOver ? this.take(place) : last.wire;
  }

  /** Closes all, and what is kept from now on. */
  close(): void {
    this.#isClosed = true;
    for (const all of this.#kept.values()) for (const { wire } of all) wire.destroy();
  }

  #forget(place: string, kept: Kept): void {
    const all = this.#kept.get(place);
    const at = all?.lastIndexOf(kept) ?? -1;
    if (!all || at < 0) return;
    all.splice(at, 1);
    this.#count -= 1;
    if (all.length === 0) this.#kept.delete(place);
  }
}
