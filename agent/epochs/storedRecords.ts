// The records that the bus has stored, as one reading finds them (PROTOCOL 4.5): each is read once, the newest first, and
// no further than is asked for. What is no record is passed over; nothing of it is verified here.
import type { DocumentSignature } from '#agent/base/signed.ts';
import type { Bus } from './bus.ts';
import {
  newestFirst,
  openLinkedRecord,
  SLOTS_AHEAD,
  type EpochRecord,
  type RecordDocument,
} from './record.ts';
import { MESSAGE_BYTES, type Subjects } from './subjects.ts';

/** Stored messages that are looked at, at most. */
export const MAX_LOOK_BACK = 512;

type Conductor = EpochRecord['conductor'];

/** How far links are followed. */
export interface Reach {
  /** Back from the record that they begin with, by when records took effect. */
  readonly backMs: number;
  /** Where it is false of a record, links end before it. */
  readonly isSound: (record: EpochRecord) => boolean;
}

export class StoredRecords {
  readonly #messages: AsyncIterator<unknown>;
  /** Newest first. */
  readonly #records: EpochRecord[] = [];
  readonly #byHash = new Map<string, EpochRecord[]>();
  #state: 'reading' | 'read' | 'unanswered' = 'reading';

  constructor(bus: Pick<Bus, 'history'>, { streams }: Subjects) {
    const messages = bus.history(streams.record, MAX_LOOK_BACK, MESSAGE_BYTES.record);
    this.#messages = messages[Symbol.asyncIterator]();
  }

  /** False: the bus ceased to answer, and there may be more. */
  get isAnswered(): boolean {
    return this.#state !== 'unanswered';
  }

  /** All of them, newest first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<EpochRecord> {
    for (let at = 0; at < this.#records.length || (await this.#readOn()); at += 1) {
      const record = this.#records[at];
      if (record) yield record;
    }
  }

  /** Those that `prev` links to `record`, newest first. That is all that is known of them. */
  async linkedBefore(record: EpochRecord, { backMs, isSound }: Reach): Promise<EpochRecord[]> {
    const linked: EpochRecord[] = [];
    const oldestMs = effectMs(record) - backMs;
    for (let after = record; after.prev !== null && effectMs(after) >= oldestMs;) {
      const found = await this.#find(after.prev);
      if (!found || !isBefore(found, after) || !isSound(found)) break;
      linked.push(found);
      after = found;
    }
    return linked;
  }

  /** Those that are linked to any record which names this conductor, forged or not. */
  async behind({ node, sid }: Conductor, reach: Reach): Promise<readonly EpochRecord[]> {
    const all = new Map<string, EpochRecord>();
    for await (const record of this) {
      if (record.conductor.node !== node || record.conductor.sid !== sid) continue;
      for (const each of await this.linkedBefore(record, reach)) all.set(each.hash, each);
    }
    return [...all.values()];
  }

  /** What was read under one hash: of these the signatures alone differ. */
  copiesOf(hash: string): readonly EpochRecord[] {
    return this.#byHash.get(hash) ?? [];
  }

  async #find(hash: string): Promise<EpochRecord | undefined> {
    while (!this.#byHash.has(hash)) if (!(await this.#readOn())) break;
    return this.#byHash.get(hash)?.[0];
  }

  /** Reads the next record; false: there is none. */
  async #readOn(): Promise<boolean> {
    while (this.#state === 'reading') {
      const record = peek(await this.#next());
      if (!record) continue;
      this.#records.push(record);
      this.#byHash.set(record.hash, [...this.copiesOf(record.hash), record]);
      return true;
    }
    return false;
  }

  async #next(): Promise<unknown> {
    try {
      const { done, value } = await this.#messages.next();
      if (done) this.#state = 'read';
      return value;
    } catch {
      this.#state = 'unanswered'; // the bus has reported why
      return undefined;
    }
  }
}

/** When it takes effect, unix milliseconds. */
export const effectMs = ({ atSlot, periodMs }: EpochRecord): number => atSlot * periodMs;

/** Whether a record can be the one before `after`: older in the one order, and of no later time. */
const isBefore = (found: EpochRecord, after: EpochRecord): boolean =>
  newestFirst(found, after) > 0 &&
  effectMs(found) <= effectMs(after) + SLOTS_AHEAD * after.periodMs;

/** A record nobody vouched for yet: good only for its hash and its links. */
export function peek(document: unknown): EpochRecord | undefined {
  try {
    const record = openLinkedRecord(document, undefined);
    return record && { ...record, document: bare(record.document) };
  } catch {
    return undefined;
  }
}

/** What can be of use of a document that is kept, without what anybody may have put beside it. */
const bare = ({ v, kind, payload, signatures }: RecordDocument): RecordDocument => ({
  v,
  kind,
  payload,
  signatures: signatures.flatMap((each: Partial<DocumentSignature> | null) => {
    const { alg, keyId, sig } = each ?? {};
    const isText = [alg, keyId, sig].every((part) => typeof part === 'string');
    return alg !== undefined && keyId !== undefined && sig !== undefined && isText
      ? [{ alg, keyId, sig }]
      : [];
  }),
});
