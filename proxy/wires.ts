// Connections to peers on which a lane has ended in order: kept for a moment, so that the next lane needs
// no TCP handshake, and neither end a new port. They hold no key; each lane on them opens as the first.
import type { Clock } from '#agent/base/clock.ts';
import type { Leg } from './leg.ts';
import { Linked, LinkedList } from './linked.ts';

/** Less than the shortest deadline that a peer draws for the next opening (strangers.ts). */
const USE_WITHIN_MS = 2500;
/** Per worker; beyond it the oldest is closed, so that a peer which closes none keeps nobody out. */
const MAX_KEPT = 256;

/** A connection that is kept. */
class Kept extends Linked {
  readonly shelf: Shelf;
  readonly wire: Leg;
  readonly sinceMs: number;

  constructor(shelf: Shelf, wire: Leg, sinceMs: number) {
    super();
    this.shelf = shelf;
    this.wire = wire;
    this.sinceMs = sinceMs;
  }
}

/** Those to one place, the last one kept at the end. */
type Shelf = LinkedList<Kept>;

export class Wires {
  readonly #clock: Clock;
  /** By place; empty ones stay as long as there are few. */
  readonly #shelves = new Map<string, Shelf>();
  #size = 0;
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
    if (this.#size >= MAX_KEPT) this.#dropOldest();
    const kept = new Kept(this.#shelf(place), wire, this.#clock.monoMs());
    kept.shelf.add(kept);
    this.#size += 1;
    wire.owner = {
      data: () => wire.destroy(), // out of turn
      end: () => wire.end(), // not used any more
      drained: () => undefined,
      closed: () => this.#forget(kept),
    };
  }

  /** A connection to `place` whose owner is to be replaced now; undefined: there is none. */
  take(place: string): Leg | undefined {
    const last = this.#shelves.get(place)?.last;
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
    for (const shelf of this.#shelves.values()) {
      for (const { wire } of shelf.toArray()) wire.destroy();
    }
  }

  #shelf(place: string): Shelf {
    const known = this.#shelves.get(place);
    if (known) return known;
    if (this.#shelves.size >= MAX_KEPT) {
      for (const [name, { size }] of this.#shelves) if (size === 0) this.#shelves.delete(name);
    }
    const made: Shelf = new LinkedList();
    this.#shelves.set(place, made);
    return made;
  }

  #dropOldest(): void {
    let oldest: Kept | undefined;
    for (const { first } of this.#shelves.values()) {
      if (first && first.sinceMs < (oldest?.sinceMs ?? Infinity)) oldest = first;
    }
    if (!oldest) return;
    this.#forget(oldest);
    oldest.wire.destroy();
  }

  #forget(kept: Kept): void {
    if (kept.shelf.delete(kept)) this.#size -= 1;
  }
}
