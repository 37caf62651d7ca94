// One look at the records that the bus has stored, and which of them are genuine (PROTOCOL 4.5). What is verified comes to
// be known as a basis of evidence; which of them counts is decided elsewhere.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import type { Bus } from './bus.ts';
import type { RecordHistory } from './history.ts';
import { openRecord, type EpochRecord } from './record.ts';
import type { Signers } from './signers.ts';
import { StoredRecords, type Reach } from './storedRecords.ts';
import type { Subjects } from './subjects.ts';

export interface ReadingOptions {
  readonly bus: Pick<Bus, 'history'>;
  readonly subjects: Subjects;
  readonly history: RecordHistory;
  readonly signers: Signers;
}

export class Reading {
  readonly stored: StoredRecords;
  readonly #history: RecordHistory;
  readonly #signers: Signers;
  /** By conductor: those that were looked up on what was stored alone. */
  readonly #keys = new Map<string, SigningPublic | undefined>();
  readonly #genuine = new Map<string, EpochRecord>();
  /** Hashes of those that their conductors did not sign. */
  readonly #forged = new Set<string>();

  constructor({ bus, subjects, history, signers }: ReadingOptions) {
    this.stored = new StoredRecords(bus, subjects);
    this.#history = history;
    this.#signers = signers;
    signers.begin();
  }

  /** A stored record as it was verified, where it was. */
  asVerified(record: EpochRecord): EpochRecord {
    return this.#genuine.get(record.hash) ?? record;
  }

  /**
   * A record, if its conductor signed it, whose evidence may rest on whatever his records are linked to: for a node that
   * knows nothing to hold it against.
   */
  async atItsWord(record: EpochRecord, reach: Reach): Promise<EpochRecord | undefined> {
    const { conductor, hash } = record;
    const name = `${conductor.node}/${conductor.sid}`;
    if (!this.#keys.has(name)) {
      if (!this.#signers.mayAsk(conductor)) return undefined;
      const behind = await this.stored.behind(conductor, reach);
      const added = behind.filter((each) => !this.#history.has(each.hash));
      for (const each of added) this.#history.add(each);
      this.#keys.set(name, await this.#signers.keyOf(conductor));
      for (const each of added) this.#history.remove(each.hash);
    }
    return this.#signedBy(this.#keys.get(name), hash);
  }

  /**
   * Verifies records that are linked, given oldest first: evidence of a conductor may rest on what was verified before,
   * and on nothing else. The newest that is genuine.
   */
  async verify(oldestFirst: readonly EpochRecord[]): Promise<EpochRecord | undefined> {
    let newest: EpochRecord | undefined;
    for (const record of oldestFirst) {
      const isKnown = this.#history.has(record.hash);
      const genuine = isKnown ? record : await this.#verifyOne(record);
      if (genuine && !isKnown) this.#history.add(genuine);
      newest = genuine ?? newest;
    }
    return newest;
  }

  async #verifyOne({ conductor, hash }: EpochRecord): Promise<EpochRecord | undefined> {
    if (this.#forged.has(hash) || !this.#signers.mayAsk(conductor)) return undefined;
    const key = await this.#signers.keyOf(conductor);
    const genuine = this.#signedBy(key, hash);
    if (key && !genuine) this.#forged.add(hash);
    return genuine;
  }

  /** That of the copies of a record which the key has signed. */
  #signedBy(key: SigningPublic | undefined, hash: string): EpochRecord | undefined {
    if (key === undefined) return undefined;
    for (const { document } of this.stored.copiesOf(hash)) {
      try {
        const genuine = openRecord(document, key);
        this.#genuine.set(hash, genuine);
        return genuine;
      } catch {
        // not signed by whom it names
      }
    }
    return undefined;
  }
}
