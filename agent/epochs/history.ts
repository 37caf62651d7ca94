// The records known by hash and when each took effect: what evidence may be based on (PROTOCOL 2).
import type { EpochRecord } from './record.ts';

const MAX_RECORDS = 4096;

export class RecordHistory {
  readonly #timeByHash = new Map<string, number>();
  readonly #policyHash: string;
  /** The cluster's first record, if it was seen. */
  #first: { readonly hash: string; readonly effectMs: number } | undefined;

  /** @param policyHash hex, stands for a record before there is one */
  constructor(policyHash: string) {
    this.#policyHash = policyHash;
  }

  add(record: EpochRecord): void {
    const effectMs = record.atSlot * record.periodMs;
    this.#timeByHash.set(record.hash, effectMs);
    if (record.prev === null) this.#first ??= { hash: record.hash, effectMs };
    const oldest = this.#timeByHash.keys().next();
    if (this.#timeByHash.size > MAX_RECORDS && !oldest.done) this.#timeByHash.delete(oldest.value);
  }

  /** Takes back a record that turned out to be vouched for by nobody. */
  remove(hash: string): void {
    this.#timeByHash.delete(hash);
    if (this.#first?.hash === hash) this.#first = undefined;
  }

  has(hash: string): boolean {
    return this.#timeByHash.has(hash);
  }

  /** Whether evidence based on `hash` is at most `maxAgeMs` old; the policy only while nothing is older. */
  acceptable(hash: string, nowMs: number, maxAgeMs: number): boolean {
    if (hash === this.#policyHash) {
      return (
        this.#timeByHash.size === 0 || nowMs - (this.#first?.effectMs ?? -Infinity) <= maxAgeMs
      );
    }
    const effectMs = this.#timeByHash.get(hash);
    return effectMs !== undefined && nowMs - effectMs <= maxAgeMs;
  }
}
