// How many lanes a pod or a peer may have at once, and how fast it may open them: a cap and a token bucket
// for each, over all workers of a data plane. Every worker counts in memory of its own that the others
// read; a bucket is one word that all of them move. Nothing is allocated for a connection.
import type { Clock } from '#agent/base/clock.ts';
import { NO_SEAT, Seats, SEATS } from './seats.ts';

/** What one pod or peer may have. */
export interface Allowance {
  /** Lanes at once. */
  readonly lanes: number;
  /** Of openings, as many as may come at once; at most 1,000,000. */
  readonly openingsPerSecond: number;
}

/** What the workers of a data plane share for one kind of name. */
export interface QuotaMemory {
  /** Lanes alive, by seat and worker. */
  readonly live: SharedArrayBuffer;
  /** When the bucket of a seat is full again: microseconds of wall time, their low 32 bits. */
  readonly full: SharedArrayBuffer;
}

const SECOND_US = 1_000_000;
const UNLIMITED: Allowance = { lanes: Infinity, openingsPerSecond: Infinity };

/** Memory for the workers of one data plane. */
export const quotaMemory = (workers: number): QuotaMemory => ({
  live: new SharedArrayBuffer(SEATS * workers * Int32Array.BYTES_PER_ELEMENT),
  full: new SharedArrayBuffer(SEATS * Int32Array.BYTES_PER_ELEMENT),
});

/** A worker has no lanes: it is about to start, or has ended. */
export function clearLanes({ live }: QuotaMemory, worker: number): void {
  const lanes = new Int32Array(live);
  for (let at = worker; at < lanes.length; at += lanes.length / SEATS) lanes[at] = 0;
}

export class Quota {
  readonly #seats = new Seats();
  readonly #live: Int32Array;
  readonly #full: Int32Array;
  readonly #worker: number;
  readonly #workers: number;
  readonly #clock: Pick<Clock, 'wallMs'>;
  #allowance = UNLIMITED;
  /** How far one opening moves a bucket. */
  #stepUs = 0;

  /** Of one worker, whose own counts start at 0. */
  constructor(memory: QuotaMemory, worker: number, clock: Pick<Clock, 'wallMs'>) {
    clearLanes(memory, worker);
    this.#live = new Int32Array(memory.live);
    this.#full = new Int32Array(memory.full);
    this.#worker = worker;
    this.#workers = this.#live.length / SEATS;
    this.#clock = clock;
  }

  /** From here on these names are known, and each may have this; undefined: as much as it likes. */
  allow(names: readonly string[], allowance = UNLIMITED): void {
    this.#seats.retain(names);
    this.#allowance = allowance;
    this.#stepUs = Math.ceil(SECOND_US / allowance.openingsPerSecond);
  }

  /** The seat of a name, by which its lanes are counted; NO_SEAT: it is not known, and not limited. */
  seatOf(name: string): number {
    return this.#seats.of(name);
  }

  /** Whether takeOpening() would take one now. */
  mayOpen(seat: number): boolean {
    if (seat === NO_SEAT || this.#stepUs === 0) return true;
    const nowUs = (this.#clock.wallMs() * 1000) | 0;
    return this.#after(Atomics.load(this.#full, seat), nowUs) <= SECOND_US;
  }

  /** Takes one opening out of the bucket; false: it is empty. */
  takeOpening(seat: number): boolean {
    if (seat === NO_SEAT || this.#stepUs === 0) return true;
    const nowUs = (this.#clock.wallMs() * 1000) | 0;
    for (;;) {
      const full = Atomics.load(this.#full, seat);
      const next = this.#after(full, nowUs);
      if (next > SECOND_US) return false;
      if (Atomics.compareExchange(this.#full, seat, full, (nowUs + next) | 0) === full) return true;
    }
  }

  /** How far from now a bucket that is full again at `full` will be so after one opening more. */
  #after(full: number, nowUs: number): number {
    // A time that lies further ahead than a bucket is deep was noted before the clock was set, or long ago.
    const ahead = (full - nowUs) | 0;
    return (ahead > 0 && ahead <= SECOND_US ? ahead : 0) + this.#stepUs;
  }

  /** Whether it has all the lanes that it may have, and `extra` more. */
  isFull(seat: number, extra = 0): boolean {
    if (seat === NO_SEAT) return false;
    let lanes = 0;
    const from = seat * this.#workers;
    for (let at = from; at < from + this.#workers; at += 1) lanes += this.#live[at] ?? 0;
    return lanes >= this.#allowance.lanes + extra;
  }

  /** One lane more of this worker, counted before it is there; false: there is no room for it. */
  takeLane(seat: number): boolean {
    if (this.isFull(seat)) return false;
    this.count(seat, 1);
    return true;
  }

  /** One lane more, or one fewer, of this worker. */
  count(seat: number, change: 1 | -1): void {
    if (seat !== NO_SEAT) this.#live[seat * this.#workers + this.#worker]! += change;
  }

  /** One clause for operators about a refusal. */
  get text(): string {
    const { lanes, openingsPerSecond } = this.#allowance;
    return `more than ${lanes} at once or ${openingsPerSecond} a second`;
  }
}
