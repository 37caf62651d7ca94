// The records known by hash and when each took effect: what evidence may be based on (PROTOCOL 2).
import type { EpochRecord } from './record.ts';

const MAX_RECORDS = 4096;

export class RecordHistory {
  readonly #timeByHash = new Map<string, number>();
  readonly #policyHash: string;
  readonly #maxStalenessMs: number;
  /** When the newest record takes effect. */
  #newestMs = -Infinity;
  /** The cluster's first record, if it was seen. */
  #first: { readonly hash: string; readonly effectMs: number } | undefined;

  /**
   * @param policyHash hex, stands for a record before there is one
   * @param maxStalenessMs for so long evidence grows no older while no record comes: there can be no fresher
   */
  constructor(policyHash: string, maxStalenessMs: number) {
    this.#policyHash = policyHash;
    this.#maxStalenessMs = maxStalenessMs;
  }

  add(record: EpochRecord): void {
    const effectMs = record.atSlot * record.periodMs;
    this.#timeByHash.set(record.hash, effectMs);
    this.#newestMs = Math.max(this.#newestMs, effectMs);
    if (record.prev === null) this.#first ??= { hash: record.hash, effectMs };
    const oldest = this.#timeByHash.keys().next();
    if (this.#timeByHash.size > MAX_RECORDS && !oldest.done) this.#timeByHash.delete(oldest.value);
  }

  /** Takes back a record that turned out to be vouched for by nobody. */
  remove(hash: string): void {
    this.#timeByHash.delete(hash);
    this.#newestMs = Math.max(-Infinity, ...this.#timeByHash.values());
    if (this.#first?.hash === hash) this.#first = undefined;
  }

  has(hash: string): boolean {
    return this.#timeByHash.has(hash);
  }

  /**
   * Whether evidence based on `hash` is at most `maxAgeMs` old, as of the newest record in an outage (PROTOCOL 3.1); the
   * policy only while nothing is older.
   */
  acceptable(hash: string, wallMs: number, maxAgeMs: number): boolean {
    const nowMs = Math.max(Math.min(wallMs, this.#newestMs), wallMs - this.#maxStalenessMs);
    if (hash === this.#policyHash) {
      return (
        this.#timeByHash.size === 0 || nowMs - (this.#first?.effectMs ?? -Infinity) <= maxAgeMs
      );
    }
    const effectMs = this.#timeByHash.get(hash);
    return effectMs !== undefined && nowMs - effectMs <= maxAgeMs;
  }
}
