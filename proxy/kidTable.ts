// The lane names that may arrive now (PROTOCOL 6): for each chain, slot t-1, t, t+1 and own statement
// the kid under which a peer opens a lane. Follows the windows of its chains; authenticates nobody.
import { slotPlus, type ChainId, type Sid, type Slot } from '#agent/base/brands.ts';
import { endpoint, headerKeyOf, kidOf } from '#proxy/chips/chain.ts';
import type { LaneEnd } from '#proxy/see/keys.ts';
import type { RingChain } from './ringChain.ts';
import type { SelfState } from './snapshot.ts';

/** This node by one of its statements, and as that stands in derivations. */
interface Receiver {
  readonly own: LaneEnd;
  readonly bytes: Buffer;
}

/** What an arriving kid stands for. */
export class KidEntry {
  readonly chain: RingChain;
  readonly slot: Slot;
  /** In latin1. */
  readonly name: string;
  readonly #receiver: Receiver;
  readonly #key: Buffer;
  #headerKey: Buffer | undefined;

  /** `key` is that of the chain in `slot`, not copied. */
  constructor(chain: RingChain, slot: Slot, receiver: Receiver, key: Buffer) {
    this.chain = chain;
    this.slot = slot;
    this.#receiver = receiver;
    this.#key = key;
    this.name = nameOf(kidOf(key, receiver.bytes));
  }

  /** This node, by the statement that is addressed. */
  get own(): LaneEnd {
    return this.#receiver.own;
  }

  /** 32 bytes, derived at the first use. */
  headerKey(): Buffer {
    this.#headerKey ??= headerKeyOf(this.#key, this.#receiver.bytes);
    return this.#headerKey;
  }

  /** Overwrites the header key. */
  forget(): void {
    this.#headerKey?.fill(0);
  }

  isOf(slot: Slot, { own }: Receiver): boolean {
    return this.slot === slot && this.own === own;
  }
}

/** The names of one chain, and what they follow. */
interface Held {
  readonly entries: readonly KidEntry[];
  readonly now: Slot;
  readonly turn: number;
}

const nameOf = (kid: Buffer): string => kid.toString('latin1', 0, 8);

export class KidTable {
  readonly #entries = new Map<string, KidEntry>();
  readonly #held = new Map<ChainId, Held>();
  /** By statement: chains are hundreds, and each is named under every one of them in each slot. */
  readonly #receivers = new Map<Sid, Receiver>();
  /** Rises when the statements change. */
  #turn = 0;

  /** What the first 8 bytes stand for; undefined: nothing that is acceptable now. */
  get(kid: Buffer): KidEntry | undefined {
    return this.#entries.get(nameOf(kid));
  }

  /** The own statements from now on; the names under others go when their chains are renewed. */
  follow({ node, sids }: SelfState): void {
    for (const sid of this.#receivers.keys()) {
      if (sids.includes(sid)) continue;
      this.#receivers.delete(sid);
      this.#turn += 1;
    }
    for (const sid of sids) {
      if (this.#receivers.get(sid)?.own.node === node) continue;
      this.#receivers.set(sid, { own: { node, sid }, bytes: endpoint(node, sid) });
      this.#turn += 1;
    }
  }

  /** Follows the window of `chain`: forgets the slots that are over, names those that are new. */
  renew(chain: RingChain): void {
    const { now } = chain.window;
    const current: KidEntry[] = [];
    for (const entry of this.#held.get(chain.id)?.entries ?? []) {
      const isCurrent = entry.slot >= now - 1 && this.#isAddressed(entry.own);
      if (isCurrent) current.push(entry);
      else this.#forget(entry);
    }
    for (const slot of [slotPlus(now, -1), now, slotPlus(now, 1)]) {
      for (const receiver of this.#receivers.values()) {
        if (current.some((entry) => entry.isOf(slot, receiver))) continue;
        const key = chain.window.keyAt(slot);
        if (key) current.push(this.#add(new KidEntry(chain, slot, receiver, key)));
      }
    }
    this.#held.set(chain.id, { entries: current, now, turn: this.#turn });
  }

  /** Whether renew() would find nothing to do, as long as the window of `chain` stays where it is. */
  isCurrent({ id, window }: RingChain): boolean {
    const held = this.#held.get(id);
    return held?.now === window.now && held.turn === this.#turn;
  }

  /** Whether a chain was ever named here. */
  has(id: ChainId): boolean {
    return this.#held.has(id);
  }

  /** Forgets every name of a chain. */
  drop(id: ChainId): void {
    for (const entry of this.#held.get(id)?.entries ?? []) this.#forget(entry);
    this.#held.delete(id);
  }

  #isAddressed(own: LaneEnd): boolean {
    return this.#receivers.get(own.sid)?.own === own;
  }

  /** Two kids of 8 bytes that meet by chance cost the lanes of one of them, for one slot. */
  #add(entry: KidEntry): KidEntry {
    this.#entries.set(entry.name, entry);
    return entry;
  }

  #forget(entry: KidEntry): void {
    entry.forget();
    this.#entries.delete(entry.name);
  }
}
