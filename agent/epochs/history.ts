// The records known by hash and when each took effect: what evidence may be based on (PROTOCOL 2).
import type { EpochRecord } from './record.ts';

const MAX_RECORDS = 4096;

export class RecordHistory {
  readonly #timeByHash = new Map<string, number>();
  readonly #policyHash: string;
  /** When the cluster's first record was seen to take effect, if it was. */
  #firstMs: number | undefined;

  /** @param policyHash hex, stands for a record before there is one */
  constructor(policyHash: string) {
    this.#policyHash = policyHash;
  }

  add(record: EpochRecord): void {
    const effectMs = record.atSlot * record.periodMs;
    this.#timeByHash.set(record.hash, effectMs);
    if (record.prev === null) this.#firstMs = effectMs;
    const oldest = this.#timeByHash.keys().next();
    if (this.#timeByHash.size > MAX_RECORDS && !oldest.done) this.#timeByHash.delete(oldest.value);
  }

  has(hash: string): boolean {
    return this.#timeByHash.has(hash);
  }

  /** Whether evidence based on `hash` is at most `maxAgeMs` old; the policy only while nothing is older. */
  acceptable(hash: string, nowMs: number, maxAgeMs: number): boolean {
    if (hash === this.#policyHash) {
      return this.#timeByHash.size === 0 || nowMs - (this.#firstMs ?? -Infinity) <= maxAgeMs;
    }
    const effectMs = this.#timeByHash.get(hash);
    return effectMs !== undefined && nowMs - effectMs <= maxAgeMs;
  }
}
