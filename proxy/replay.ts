// The exact replay set (PROTOCOL 6): which lane openings have been seen, in a memfd that the control
// plane owns and every worker of every data plane maps. Never answers `fresh` twice for one opening,
// whoever asks, and whoever is killed while asking. Tables stand by expiry, so that chains of
// different periods share one set, and none is ever cleared: an entry counts only under the tag of
// the bucket its table serves (docs/decisions/0002-replay-tables-by-expiry.md has the argument).
import { Buffer } from 'node:buffer';
import { randomFillSync } from 'node:crypto';
import { TidelockError } from '#agent/base/errors.ts';
import { sha256Of } from '#proxy/native/sha256.ts';
import { createMemfd, mapMemfd } from '#proxy/native/memfd.ts';

/** One authenticated opening. Times are those of the slot clock, unix milliseconds. */
export interface Opening {
  /** 8 bytes */
  readonly kid: Uint8Array;
  /** 16 bytes */
  readonly salt: Uint8Array;
  /** `srcRef`, 8 bytes */
  readonly source: Uint8Array;
  readonly slot: number;
  readonly periodMs: number;
  readonly nowMs: number;
}

/**
 * `fresh` to one caller only. `stale`: outside the three acceptable slots, or so late that its table
 * serves a newer bucket. `full`, `quota`: not recorded for lack of room, all in all or of the source.
 */
export type ReplayVerdict = 'fresh' | 'replayed' | 'full' | 'quota' | 'stale';

export interface ReplayOptions {
  /** The ordinary period of chains; it is the length of a bucket. */
  readonly periodMs: number;
  /** The longest period ever accepted (PROTOCOL 1, G3: 30 s); openings of a longer one are stale. */
  readonly maxPeriodMs?: number;
  /** Openings one bucket takes; 16 bytes each are set aside, and used once touched. */
  readonly openingsPerPeriod?: number;
  /** Openings that one source may make in one bucket. */
  readonly quotaPerSource?: number;
  /** Different sources in one bucket: two statements of each node of the cluster. */
  readonly sources?: number;
}

interface Geometry {
  readonly bucketMs: number;
  readonly maxPeriodMs: number;
  readonly tables: number;
  /** Power of two. */
  readonly entries: number;
  /** Power of two. */
  readonly sources: number;
  readonly quota: number;
}

const MAGIC = 0x746c_7265_706c_0001n; // "tlrepl", layout 1
const WORD = { magic: 0, bucketMs: 1, maxPeriodMs: 2, tables: 3, entries: 4, sources: 5, quota: 6 };
const SEED_WORD = 8;
const SEED_BYTES = 16;
/** Headers of tables stand a cache line apart. */
const TABLE_HEADERS = 16;
const TABLE_HEADER_STRIDE = 8;
const HEADER_WORDS = 512;
const MAX_TABLES = (HEADER_WORDS - TABLE_HEADERS) / TABLE_HEADER_STRIDE;
/** At half load the longest run of occupied places is about 65 in 2^18; this is `full`. */
const PROBES = 256;
/** An entry is `tag 16 | fingerprint 48`; no tag is 0, so that zeroed memory is empty. */
const TAG_SHIFT = 48n;
const TAGS = 65_535;

export class ReplaySet {
  /** The memfd, to hand to a data plane. */
  readonly fd: number;
  readonly #words: BigUint64Array;
  readonly #geometry: Geometry;
  readonly #input = Buffer.alloc(SEED_BYTES + 8 + 16);

  private constructor(fd: number) {
    this.fd = fd;
    this.#words = new BigUint64Array(mapMemfd(fd));
    this.#geometry = readGeometry(this.#words);
    this.#input.set(new Uint8Array(this.#words.buffer, SEED_WORD * 8, SEED_BYTES));
  }

  /** A new, empty set. Errors: RangeError on options that make none, SYSCALL_FAILED. */
  static create(options: ReplayOptions): ReplaySet {
    const geometry = geometryFor(options);
    const fd = createMemfd('tidelock-replay', wordsOf(geometry) * 8);
    const words = new BigUint64Array(mapMemfd(fd));
    for (const name of GEOMETRY) words[WORD[name]] = BigInt(geometry[name]);
    randomFillSync(new Uint8Array(words.buffer, SEED_WORD * 8, SEED_BYTES));
    words[WORD.magic] = MAGIC;
    return new ReplaySet(fd);
  }

  /** The set in an inherited memfd; the caller closes the fd. Errors: REPLAY_SET_INVALID. */
  static map(fd: number): ReplaySet {
    return new ReplaySet(fd);
  }

  /** Records the opening unless it was recorded before: one atomic step, whoever else asks. */
  testAndSet(opening: Opening): ReplayVerdict {
    const { bucketMs, maxPeriodMs, tables } = this.#geometry;
    const { slot, periodMs, nowMs } = opening;
    const expiresAt = (slot + 2) * periodMs;
    // Together: slot is t-1, t or t+1 of this period (PROTOCOL 4).
    if (periodMs > maxPeriodMs || expiresAt <= nowMs || expiresAt > nowMs + 3 * periodMs) {
      return 'stale';
    }
    const bucket = Math.floor(expiresAt / bucketMs);
    const table = new Table(this.#words, this.#geometry, bucket % tables, bucket);
    if (!table.enter()) return 'stale';
    const digest = this.#digest(opening);
    return table.insert(digest.readUInt32BE(0), digest.readBigUInt64BE(4), opening.source);
  }

  /** Keyed by a seed of this set, so that no member can aim its salts at one place of a table. */
  #digest({ kid, salt }: Opening): Buffer {
    if (kid.length !== 8 || salt.length !== 16) throw new RangeError('kid of 8, salt of 16 bytes');
    this.#input.set(kid, SEED_BYTES);
    this.#input.set(salt, SEED_BYTES + 8);
    return sha256Of(this.#input);
  }
}

/** One table while it serves one bucket. */
class Table {
  readonly #words: BigUint64Array;
  readonly #geometry: Geometry;
  readonly #header: number;
  readonly #bucket: bigint;
  readonly #tag: bigint;
  readonly #entries: number;
  readonly #sources: number;

  constructor(words: BigUint64Array, geometry: Geometry, index: number, bucket: number) {
    this.#words = words;
    this.#geometry = geometry;
    this.#header = TABLE_HEADERS + index * TABLE_HEADER_STRIDE;
    this.#bucket = BigInt(bucket);
    this.#tag = BigInt((Math.floor(bucket / geometry.tables) % TAGS) + 1) << TAG_SHIFT;
    this.#entries = HEADER_WORDS + index * tableWords(geometry);
    this.#sources = this.#entries + geometry.entries;
  }

  /** Makes the table serve this bucket; false when it already serves a newer one. */
  enter(): boolean {
    for (;;) {
      const serving = Atomics.load(this.#words, this.#header);
      if (serving === this.#bucket) return true;
      if (serving > this.#bucket) return false;
      Atomics.compareExchange(this.#words, this.#header, serving, this.#bucket);
    }
  }

  insert(home: number, fingerprint: bigint, source: Uint8Array): ReplayVerdict {
    const mine = this.#tagged(fingerprint);
    const mask = this.#geometry.entries - 1;
    let reserved: number | undefined;
    for (let probe = 0; probe < PROBES;) {
      const at = this.#entries + ((home + probe) & mask);
      const found = Atomics.load(this.#words, at);
      if (found === mine || !this.#isEmpty(found)) {
        if (found === mine) return this.#without(reserved, 'replayed');
        probe += 1;
        continue;
      }
      // `found` was read before this check, so it is of an older bucket and never of a newer one.
      if (!this.#serves()) return 'stale';
      if (reserved === undefined) {
        const place = this.#reserve(source);
        if (typeof place === 'string') return place;
        reserved = place;
      }
      if (Atomics.compareExchange(this.#words, at, found, mine) === found) {
        return this.#serves() ? 'fresh' : 'stale';
      }
      // Somebody took this place: look again at what is there now.
    }
    return this.#without(reserved, 'full');
  }

  /** Counts one opening of `source`; where its count is, for giving it back. */
  #reserve(source: Uint8Array): number | 'full' | 'quota' | 'stale' {
    const ref = Buffer.from(source.buffer, source.byteOffset, source.length).readBigUInt64BE();
    const mine = this.#tagged(ref);
    const mask = this.#geometry.sources - 1;
    const home = Number(ref >> 32n);
    for (let probe = 0; probe < this.#geometry.sources;) {
      const at = this.#sources + 2 * ((home + probe) & mask);
      const found = Atomics.load(this.#words, at);
      if (found === mine) return this.#count(at + 1);
      if (!this.#isEmpty(found)) {
        probe += 1;
        continue;
      }
      if (!this.#serves()) return 'stale';
      Atomics.compareExchange(this.#words, at, found, mine);
    }
    return 'full';
  }

  #count(at: number): number | 'quota' | 'stale' {
    for (;;) {
      const found = Atomics.load(this.#words, at);
      const count = this.#isEmpty(found) ? 0 : Number(BigInt.asUintN(48, found));
      if (count >= this.#geometry.quota) return 'quota';
      if (!this.#serves()) return 'stale';
      const next = this.#tagged(BigInt(count + 1));
      if (Atomics.compareExchange(this.#words, at, found, next) === found) return at;
    }
  }

  /** Gives a reservation back; one lost to a kill costs its source one opening of this bucket. */
  #without(reserved: number | undefined, verdict: ReplayVerdict): ReplayVerdict {
    if (reserved === undefined) return verdict;
    for (;;) {
      const found = Atomics.load(this.#words, reserved);
      if (this.#isEmpty(found)) return verdict;
      const less = Atomics.compareExchange(this.#words, reserved, found, found - 1n);
      if (less === found) return verdict;
    }
  }

  #serves(): boolean {
    return Atomics.load(this.#words, this.#header) === this.#bucket;
  }

  #isEmpty(word: bigint): boolean {
    return (word >> TAG_SHIFT) << TAG_SHIFT !== this.#tag;
  }

  #tagged(value: bigint): bigint {
    return this.#tag | BigInt.asUintN(48, value);
  }
}

const GEOMETRY = ['bucketMs', 'maxPeriodMs', 'tables', 'entries', 'sources', 'quota'] as const;

const tableWords = (g: Geometry): number => g.entries + 2 * g.sources;
const wordsOf = (g: Geometry): number => HEADER_WORDS + g.tables * tableWords(g);
const powerOfTwo = (least: number): number => 2 ** Math.ceil(Math.log2(least));

function geometryFor(options: ReplayOptions): Geometry {
  const {
    periodMs,
    maxPeriodMs = 30_000,
    openingsPerPeriod = 200_000,
    quotaPerSource = openingsPerPeriod / 2,
    sources = 10_000,
  } = options;
  const values = [periodMs, maxPeriodMs, openingsPerPeriod, quotaPerSource, sources];
  if (!values.every((n) => Number.isSafeInteger(n) && n > 0)) {
    throw new RangeError('replay set options are positive integers');
  }
  const tables = Math.ceil((3 * Math.max(periodMs, maxPeriodMs)) / periodMs) + 1;
  if (tables > MAX_TABLES) throw new RangeError(`${tables} tables, at most ${MAX_TABLES}`);
  return {
    bucketMs: periodMs,
    maxPeriodMs: Math.max(periodMs, maxPeriodMs),
    tables,
    entries: powerOfTwo(2 * openingsPerPeriod),
    sources: powerOfTwo(2 * sources),
    quota: quotaPerSource,
  };
}

function readGeometry(words: BigUint64Array): Geometry {
  const [bucketMs, maxPeriodMs, tables, entries, sources, quota] = GEOMETRY.map((name) =>
    Number(words[WORD[name]] ?? 0n),
  ) as [number, number, number, number, number, number];
  const geometry = { bucketMs, maxPeriodMs, tables, entries, sources, quota };
  if (words[WORD.magic] === MAGIC && words.length === wordsOf(geometry)) return geometry;
  throw new TidelockError('REPLAY_SET_INVALID', {
    op: 'replay.map',
    message: 'Cannot use replay set: the shared memory is not one, or of another version',
    hint: 'Control plane and data plane are of different versions; restart the agent.',
  });
}
