// The counters that every worker shares with the control plane: a memfd of one row per worker, so
// that nobody contends for a word and a crash of the data plane loses no count. A row has one
// writer; whoever reads sees each number whole, not all of one instant.
import { createMemfd, mapMemfd } from '#proxy/native/memfd.ts';

/** Why a connection, lane or opening was refused; each is a counter `refused.<reason>`. */
export const REFUSALS = [
  // outbound: an application's connection
  'not-trusted',
  'no-agent',
  'address-conflict',
  'no-endpoint',
  'no-chain',
  'no-token',
  'policy',
  'peer-unreachable',
  'peer-silent',
  'peer-denied',
  'pod-limit', // of the pod that connects, or of the one that a lane is for
  'peer-limit',
  // inbound: a lane
  'replayed',
  'replay-full',
  'replay-quota',
  'stale-slot',
  'bad-token',
  'bad-endorsement',
  'not-local',
  'pod-unreachable',
  'mode',
  'limit',
  'not-redirected',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Why a connection that carried bytes ended; each is a counter `closed.<reason>`. docs/logs.md explains them. */
export const CLOSES = [
  'clean',
  'application-reset',
  'destination-reset',
  'peer-reset',
  'policy',
  'trust',
  'pod-gone',
  'keys',
  'shutdown',
  'truncated',
  'half-closed',
  'forged',
  'protocol',
] as const;
export type CloseReason = (typeof CLOSES)[number];

const PLAIN_COUNTERS = [
  'active',
  'lanesOpenedOut',
  'lanesOpenedIn',
  'lanesSameNode',
  'plainOut',
  'bytesOut',
  'bytesIn',
  'keyUpdates',
  'strangers',
  'strangersOpen',
  'forgedFrames',
  'resets',
  'canariesAnswered',
] as const;

export type CounterName =
  | (typeof PLAIN_COUNTERS)[number]
  | `refused.${Refusal}`
  | `closed.${CloseReason}`;

/** In this order in a row. Whoever changes it changes CONTROL_VERSION (control.ts) as well. */
export const COUNTER_NAMES: readonly CounterName[] = [
  ...PLAIN_COUNTERS,
  ...REFUSALS.map((reason): CounterName => `refused.${reason}`),
  ...CLOSES.map((reason): CounterName => `closed.${reason}`),
];
/** Gauges: they fall as well, and start at 0 with each data plane. */
const GAUGES: readonly CounterName[] = ['active', 'strangersOpen'];

/** A row is a multiple of the cache line (64 bytes). */
export const COUNTERS_LAYOUT = {
  maxWorkers: 256,
  rowWords: Math.ceil(COUNTER_NAMES.length / 8) * 8,
} as const;
const BYTES = COUNTERS_LAYOUT.maxWorkers * COUNTERS_LAYOUT.rowWords * 8;
const INDEX = new Map(COUNTER_NAMES.map((name, index) => [name, index]));

export type CounterTotals = Readonly<Record<CounterName, number>>;

export class Counters {
  /** The memfd to hand to the data plane. */
  readonly fd: number;
  readonly #words: Float64Array;
  #earlier: Counters | undefined;

  private constructor(fd: number, memory: ArrayBuffer) {
    this.fd = fd;
    if (memory.byteLength !== BYTES) throw new RangeError(`counters of ${memory.byteLength} bytes`);
    // Doubles count exactly to 2^53 and an aligned one is written whole on x64 and arm64.
    this.#words = new Float64Array(memory);
  }

  /** New ones; `earlier`: those of a data plane that this one's replaces, whose totals they go on from. */
  static create(earlier?: Counters): Counters {
    const fd = createMemfd('tidelock-counters', BYTES);
    const counters = new Counters(fd, mapMemfd(fd));
    counters.#earlier = earlier;
    return counters;
  }

  /** Those in an inherited memfd. Errors: RangeError for one of another layout, SYSCALL_FAILED. */
  static map(fd: number): Counters {
    return new Counters(fd, mapMemfd(fd));
  }

  /** The row of one worker, for that worker alone; its gauges are set to 0. */
  row(worker: number): CounterRow {
    const { rowWords } = COUNTERS_LAYOUT;
    const row = this.#words.subarray(worker * rowWords, (worker + 1) * rowWords);
    if (row.length !== rowWords) throw new RangeError(`no counter row for worker ${worker}`);
    for (const name of GAUGES) row[indexOf(name)] = 0;
    return {
      add: (name, n = 1) => {
        row[indexOf(name)]! += n;
      },
    };
  }

  /** The data plane that wrote the earlier ones has ended, and with it what its gauges counted. */
  earlierEnded(): void {
    const { maxWorkers } = COUNTERS_LAYOUT;
    for (let worker = 0; worker < maxWorkers; worker += 1) this.#earlier?.row(worker);
  }

  /** One counter for each of the first `workers` workers. */
  byWorker(name: CounterName, workers: number): readonly number[] {
    const { rowWords } = COUNTERS_LAYOUT;
    return Array.from(
      { length: workers },
      (_, worker) => this.#words[worker * rowWords + indexOf(name)] ?? 0,
    );
  }

  /** Sums over all workers. */
  totals(): CounterTotals {
    const { rowWords } = COUNTERS_LAYOUT;
    const earlier = this.#earlier?.totals();
    return Object.fromEntries(
      COUNTER_NAMES.map((name, index) => {
        let sum = earlier?.[name] ?? 0;
        for (let at = index; at < this.#words.length; at += rowWords) sum += this.#words[at] ?? 0;
        return [name, sum];
      }),
    ) as Record<CounterName, number>;
  }
}

export interface CounterRow {
  add(name: CounterName, n?: number): void;
}

function indexOf(name: CounterName): number {
  const index = INDEX.get(name);
  if (index === undefined) throw new RangeError(`no counter ${name}`);
  return index;
}
