// One chain's acceptable slots t-1, t, t+1 (PROTOCOL 4): ticks forward, never back, and overwrites
// what has passed. Holds secrets; whoever drops a window closes it.
import { Buffer } from 'node:buffer';
import { slotPlus, type Slot } from '#agent/base/brands.ts';
import { wipe, type Bytes } from '#agent/base/bytes.ts';
import { LABEL, tick } from './chain.ts';
import { expand } from './hkdf.ts';

/** More ticks than this at once (a week of 5 s slots) is a broken clock: the chain is given up. */
const MAX_TICKS = 120_000;

export class ChainWindow {
  readonly #keys: Buffer[];
  #first: Slot;
  #now: Slot;
  #retainSlots: number;
  readonly #retained = new Map<Slot, Buffer>();

  /**
   * `key` is `chain(c, slot)`, copied; `now` the present slot. `retainSlots`: for how many slots the
   * update key (see updateKey) of an erased slot is kept, 0 by default.
   */
  constructor(start: {
    readonly slot: Slot;
    readonly key: Bytes;
    readonly now: Slot;
    readonly retainSlots?: number;
  }) {
    this.#keys = [Buffer.from(start.key)];
    this.#first = start.slot;
    this.#now = start.now < start.slot ? start.now : start.slot;
    this.#retainSlots = start.retainSlots ?? 0;
    this.advance(start.now);
  }

  /** The slot last advanced to. */
  get now(): Slot {
    return this.#now;
  }

  /** `chain(c, slot)` for an acceptable slot, else undefined. A view that advance() overwrites. */
  keyAt(slot: Slot): Buffer | undefined {
    if (slot < this.#first || slot < this.#now - 1 || slot > this.#now + 1) return undefined;
    return this.#derive(slot);
  }

  /** The oldest key still held, with its slot: what a newcomer or a snapshot is given (PROTOCOL 3). */
  oldest(): { readonly slot: Slot; readonly key: Buffer } | undefined {
    const key = this.#keys[0];
    return key && { slot: this.#first, key };
  }

  /**
   * What a KEYUPDATE that names this chain and slot mixes in (PROTOCOL 7), 32 bytes, also for the
   * slots retained: such a frame may lie unread behind a slow application for many slots. It opens
   * no lane by itself and leads to no chain value.
   */
  updateKey(slot: Slot): Buffer | undefined {
    const retained = this.#retained.get(slot);
    if (retained) return retained;
    const key = this.keyAt(slot);
    return key && expand(key, LABEL.update);
  }

  /** Moves to slot `now`; what is older than `now - 1` is overwritten. Going back does nothing. */
  advance(now: Slot): void {
    if (now <= this.#now) return;
    this.#now = now;
    if (now - this.#first > MAX_TICKS) {
      this.close();
      return;
    }
    while (this.#first < now - 1) {
      const key = this.#derive(this.#first);
      if (key === undefined) break;
      if (this.#first >= now - 1 - this.#retainSlots) {
        this.#retained.set(this.#first, expand(key, LABEL.update));
      }
      this.#derive(slotPlus(this.#first, 1));
      this.#keys.shift();
      wipe(key);
      this.#first = slotPlus(this.#first, 1);
    }
    this.#forget();
  }

  /** Changes how many slots of update keys are kept; fewer take effect at once. */
  retain(slots: number): void {
    this.#retainSlots = slots;
    this.#forget();
  }

  /** Overwrites everything; every later question is answered with undefined. */
  close(): void {
    wipe(...this.#keys, ...this.#retained.values());
    this.#keys.length = 0;
    this.#retained.clear();
  }

  #derive(slot: Slot): Buffer | undefined {
    for (let n = this.#keys.length; n > 0 && n <= slot - this.#first; n += 1) {
      const last = this.#keys[n - 1];
      if (last) this.#keys.push(tick(last, slotPlus(this.#first, n - 1)));
    }
    return this.#keys[slot - this.#first];
  }

  #forget(): void {
    for (const [slot, key] of this.#retained) {
      if (slot >= this.#now - 1 - this.#retainSlots) break; // in the order they were set
      wipe(key);
      this.#retained.delete(slot);
    }
  }
}
