// The lane names that may arrive now (PROTOCOL 6): for each chain, slot t-1, t, t+1 and own statement
// the kid under which a peer opens a lane. Follows the windows of its chains; authenticates nobody.
import { slotPlus, type ChainId, type Slot } from '#agent/base/brands.ts';
import { endpoint, headerKeyOf, kidOf } from '#proxy/chips/chain.ts';
import type { LaneEnd } from '#proxy/see/keys.ts';
import type { RingChain } from './ringChain.ts';
import type { SelfState } from './snapshot.ts';

/** What an arriving kid stands for. */
export interface KidEntry {
  readonly chain: RingChain;
  readonly slot: Slot;
  /** This node, by the statement that is addressed. */
  readonly own: LaneEnd;
  /** 32 bytes, derived at the first use. */
  readonly headerKey: () => Buffer;
  /** Overwrites the header key. */
  readonly forget: () => void;
}

interface HeldKid {
  readonly slot: Slot;
  readonly name: string;
}

const nameOf = (kid: Buffer): string => kid.toString('latin1', 0, 8);

export class KidTable {
  readonly #entries = new Map<string, KidEntry>();
  readonly #held = new Map<ChainId, readonly HeldKid[]>();

  /** What the first 8 bytes stand for; undefined: nothing that is acceptable now. */
  get(kid: Buffer): KidEntry | undefined {
    return this.#entries.get(nameOf(kid));
  }

  /** Follows the window of `chain`: forgets the slots that are over, names those that are new. */
  renew(chain: RingChain, { node, sids }: SelfState): void {
    const { now } = chain.window;
    const held = this.#held.get(chain.id) ?? [];
    const current = held.filter((kid) => kid.slot >= now - 1 || !this.#forget(kid));
    for (const slot of [slotPlus(now, -1), now, slotPlus(now, 1)]) {
      const key = current.some((kid) => kid.slot === slot) ? undefined : chain.window.keyAt(slot);
      if (!key) continue;
      for (const sid of sids) current.push(this.#add(chain, slot, { node, sid }, key));
    }
    this.#held.set(chain.id, current);
  }

  /** Whether a chain was ever named here. */
  has(id: ChainId): boolean {
    return this.#held.has(id);
  }

  /** Forgets every name of a chain. */
  drop(id: ChainId): void {
    for (const kid of this.#held.get(id) ?? []) this.#forget(kid);
    this.#held.delete(id);
  }

  #add(chain: RingChain, slot: Slot, own: LaneEnd, key: Buffer): HeldKid {
    const receiver = endpoint(own.node, own.sid);
    const name = nameOf(kidOf(key, receiver));
    let headerKey: Buffer | undefined;
    // Two kids of 8 bytes that meet by chance cost the lanes of one of them, for one slot.
    this.#entries.set(name, {
      chain,
      slot,
      own,
      headerKey: () => (headerKey ??= headerKeyOf(key, receiver)),
      forget: () => headerKey?.fill(0),
    });
    return { slot, name };
  }

  #forget({ name }: HeldKid): boolean {
    this.#entries.get(name)?.forget();
    return this.#entries.delete(name);
  }
}
