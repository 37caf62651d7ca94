// The records that evidence may be based on, as they were signed, and how a bus that has lost them gets them back
// (PROTOCOL 4.5). Whoever starts without a memory finds them there, instead of a cluster that seems to be new.
import type { Bus } from './bus.ts';
import type { EpochRecord } from './record.ts';
import { MAX_LOOK_BACK, StoredRecords } from './storedRecords.ts';
import type { Subjects } from './subjects.ts';

/** So many put records back in the first slot after they connected, the others later: it is for one to do. */
const AT_ONCE = 16;
/** Slots over which the members of a large cluster spread. */
const MAX_ROUNDS = 8;

/** What is put back, and in how many rounds from now. */
interface Owed {
  readonly newest: EpochRecord;
  rounds: number;
}

export class KeptRecords {
  readonly #byHash = new Map<string, EpochRecord>();
  readonly #keptMs: number;
  #owed: Owed | undefined;

  /** `keptMs`: how far back from the newest they reach, by the slots at which they took effect. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  /** Keeps a record that was verified, or that a verified one vouches for. */
  add(record: EpochRecord): void {
    if (!this.#byHash.has(record.hash)) this.#byHash.set(record.hash, record);
    const oldestMs = record.atSlot * record.periodMs - this.#keptMs;
    for (const [hash, { atSlot, periodMs }] of this.#byHash) {
      if (this.#byHash.size <= MAX_LOOK_BACK && atSlot * periodMs >= oldestMs) break;
      this.#byHash.delete(hash);
    }
  }

  /**
   * The bus is there again, `newest` having been the newest before; `isSigner`: this node made it, and sees first
   * to its being there. `random` is from 0 to 1.
   */
  onConnect(
    newest: EpochRecord | undefined,
    { isSigner, members, random }: { isSigner: boolean; members: number; random: number },
  ): void {
    const spread = Math.min(MAX_ROUNDS, Math.ceil(members / AT_ONCE));
    if (newest) this.#owed = { newest, rounds: isSigner ? 0 : 1 + Math.floor(random * spread) };
  }

  /** Once in a slot; how many records were put back. */
  async onRound(
    bus: Pick<Bus, 'connected' | 'history' | 'publish'>,
    subjects: Subjects,
  ): Promise<number> {
    const owed = this.#owed;
    if (!owed || !bus.connected) return 0;
    owed.rounds -= 1;
    if (owed.rounds >= 0) return 0;
    const linked = this.#linkedTo(owed.newest);
    const stored = new StoredRecords(bus, subjects);
    const lost = await this.#lostOf(linked, stored);
    if (!stored.isAnswered) return 0; // asked again in the next slot
    for (const { document, hash } of lost.toReversed()) {
      if (!(await bus.publish(subjects.record, document, hash))) return 0; // all of it again then
    }
    if (this.#owed === owed) this.#owed = undefined;
    return lost.length;
  }

  /** Those kept that `newest` vouches for, and itself; newest first. */
  #linkedTo(newest: EpochRecord): EpochRecord[] {
    const linked: EpochRecord[] = [];
    for (
      let at: EpochRecord | undefined = newest;
      at && !linked.includes(at);
      at = at.prev === null ? undefined : this.#byHash.get(at.prev)
    ) {
      linked.push(at);
    }
    return linked;
  }

  /** The part of `linked` that is newer than what is stored of it: records are stored in their order. */
  async #lostOf(
    linked: readonly EpochRecord[],
    stored: StoredRecords,
  ): Promise<readonly EpochRecord[]> {
    const places = new Map(linked.map(({ hash }, place) => [hash, place]));
    for await (const { hash } of stored) {
      const place = places.get(hash);
      if (place !== undefined) return linked.slice(0, place);
    }
    return linked;
  }
}
