// The chains this node holds (PROTOCOL 4): derived from records, adopted from sealed messages, ticked
// through time, dropped when superseded or revoked. Pure state: no bus, no clock of its own.
import {
  slotAt,
  slotPlus,
  type ChainId,
  type NodeName,
  type Sid,
  type Slot,
} from '#agent/base/brands.ts';
import { b64url, equal, fromB64url, fromHex, hex, wipe, type Bytes } from '#agent/base/bytes.ts';
import { epochStep, presenceCheck, rootCommit, tick } from '#proxy/chips/chain.ts';
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import type { LiveChain } from '#proxy/snapshot.ts';
import { ANNOUNCED_CHAINS, type Presence } from './presence.ts';
import { newestFirst, type EpochRecord, type Order } from './record.ts';
import type { SealedChain } from './sealed.ts';

/** A chain in the form of PROTOCOL 4, with the one key from which all acceptable slots follow. */
export interface Chain extends Order {
  readonly id: ChainId;
  readonly conductor: NodeName;
  readonly rosterDigest: string;
  readonly atSlot: Slot;
  readonly periodMs: number;
  readonly algorithm: number;
  readonly begins: 'epoch' | 'heal' | 'revoke';
  /** Slot of `key`: t-1 once in effect, `atSlot` before. */
  slot: Slot;
  /** `chain(c, slot)`, 32 bytes, replaced and wiped at each tick. */
  key: Buffer;
  /** When it and a newer one were both in effect, unix milliseconds: by slots, whenever this node heard of that. */
  supersededAtMs: number | undefined;
}

export type Acceptance = 'applied' | 'known' | 'needs-parent' | 'needs-root';

/** When its first slot begins, unix milliseconds. */
const startMs = ({ atSlot, periodMs }: Chain): number => atSlot * periodMs;

/** `chain(c, to)` from `chain(c, from)`: a fresh 32 bytes also when nothing has to be ticked. */
function tickTo(key: Bytes, from: Slot, to: Slot): Buffer {
  let at: Buffer = Buffer.from(key);
  for (let slot = from; slot < to; slot = slotPlus(slot, 1)) {
    const next = tick(at, slot);
    wipe(at);
    at = next;
  }
  return at;
}

/** Slots after which holders of a revoking generation drop all older ones (PROTOCOL 4). */
const REVOKE_AFTER_SLOTS = 3;
/** A sender stops using a chain so long before a holder may drop it (PROTOCOL 4.6). */
const SENDER_MARGIN_SLOTS = 2;
/** A root that has not come by then is asked for as chains (resync), not waited for. */
const ROOT_WITHIN_SLOTS = 8;
/** More than a conductor begins within maxStaleness; beyond it the oldest in the one order is dropped. */
const MAX_CHAINS = 1_024;
/** Records that wait for their root; more are not kept, they can be read back. */
const MAX_WAITING = 16;

export class ChainKeeper {
  readonly #chains = new Map<ChainId, Chain>();
  readonly #waiting = new Map<string, EpochRecord>();
  readonly #maxStalenessMs: number;

  constructor(options: { readonly maxStalenessMs: number }) {
    this.#maxStalenessMs = options.maxStalenessMs;
  }

  /** Derives the chain of a judged record, or says what is missing to do so. */
  accept(record: EpochRecord): Acceptance {
    if (this.#chains.has(record.chainId)) return 'known';
    if (record.parent === null) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.set(record.hash, record);
      return 'needs-root';
    }
    const parent = this.#chains.get(record.parent);
    if (!parent || parent.slot > record.atSlot) return 'needs-parent';
    const ikm = tickTo(parent.key, parent.slot, record.atSlot);
    this.#derive(record, ikm);
    wipe(ikm);
    return 'applied';
  }

  /** Begins a generation whose record was accepted. False: no such record, or not its root. */
  giveRoot(recordHash: string, root: Bytes): boolean {
    const record = this.#waiting.get(recordHash);
    if (!record || hex(rootCommit(root)) !== record.rootCommit) return false;
    this.#waiting.delete(recordHash);
    this.#derive(record, root);
    return true;
  }

  #derive(record: EpochRecord, ikm: Bytes): void {
    const algorithm = chipsAlgorithm(record.algorithm);
    if (!algorithm) return; // judged before: an unknown algorithm never gets here
    const key = epochStep(algorithm, ikm, fromB64url(record.beacon), fromHex(record.hash));
    this.#add({
      id: record.chainId,
      hash: record.hash,
      generation: record.generation,
      term: record.term,
      epoch: record.epoch,
      conductor: record.conductor.node,
      rosterDigest: record.rosterDigest,
      atSlot: record.atSlot,
      periodMs: record.periodMs,
      algorithm: record.algorithm,
      begins: record.kind,
      slot: record.atSlot,
      key,
      supersededAtMs: undefined,
    });
  }

  #add(chain: Chain): void {
    this.#chains.set(chain.id, chain);
    if (this.#chains.size <= MAX_CHAINS) return;
    let oldest = chain;
    for (const each of this.#chains.values()) if (newestFirst(each, oldest) > 0) oldest = each;
    this.#drop(oldest);
  }

  /** Takes over a chain that the conductor sealed to this node. */
  adopt(sealed: SealedChain): void {
    if (this.#chains.has(sealed.chainId)) return;
    const { chainId: id, recordHash: hash, key, ...rest } = sealed;
    this.#add({
      ...rest,
      id,
      hash,
      key: fromB64url(key),
      supersededAtMs: undefined,
    });
  }

  /** Every chain that is in effect or will be, for a newcomer: never older than the present slot. */
  sealable(nowMs: number): SealedChain[] {
    return this.chains().map((chain) => {
      const slot = Math.max(slotAt(nowMs, chain.periodMs), chain.slot) as Slot;
      const key = tickTo(chain.key, chain.slot, slot);
      const sealed: SealedChain = {
        chainId: chain.id,
        generation: chain.generation,
        term: chain.term,
        epoch: chain.epoch,
        recordHash: chain.hash,
        rosterDigest: chain.rosterDigest,
        conductor: chain.conductor,
        atSlot: chain.atSlot,
        periodMs: chain.periodMs,
        algorithm: chain.algorithm,
        begins: chain.begins,
        slot,
        key: b64url(key),
      };
      wipe(key);
      return sealed;
    });
  }

  /** Ticks every chain so that nothing older than slot t-1 can be computed, and drops what has ended. */
  advance(nowMs: number): void {
    for (const chain of this.#chains.values()) {
      const oldest = slotPlus(slotAt(nowMs, chain.periodMs), -1);
      if (oldest <= chain.slot) continue;
      const next = tickTo(chain.key, chain.slot, oldest);
      wipe(chain.key);
      chain.key = next;
      chain.slot = oldest;
    }
    for (const [hash, record] of this.#waiting) {
      const late = slotPlus(record.atSlot, ROOT_WITHIN_SLOTS);
      if (slotAt(nowMs, record.periodMs) > late) this.#waiting.delete(hash);
    }
    const floor = this.#generationFloor(nowMs);
    let newerAtMs = Infinity;
    for (const chain of this.inEffect(nowMs)) {
      const sinceMs = Math.min(
        chain.supersededAtMs ?? Infinity,
        Math.max(newerAtMs, startMs(chain)), // a newer one may begin before it, after a hand-over
      );
      if (sinceMs < Infinity) chain.supersededAtMs = sinceMs;
      newerAtMs = Math.min(newerAtMs, startMs(chain));
      if (nowMs - sinceMs > this.#maxStalenessMs) this.#drop(chain);
    }
    for (const chain of this.#chains.values()) if (chain.generation < floor) this.#drop(chain);
  }

  /** The oldest acceptable generation: that of the newest revocation that is past its grace. */
  #generationFloor(nowMs: number): number {
    let floor = 0;
    for (const chain of this.#chains.values()) {
      const past = slotAt(nowMs, chain.periodMs) >= slotPlus(chain.atSlot, REVOKE_AFTER_SLOTS);
      if (chain.begins === 'revoke' && past) floor = Math.max(floor, chain.generation);
    }
    return floor;
  }

  #drop(chain: Chain): void {
    wipe(chain.key);
    this.#chains.delete(chain.id);
  }

  /** All chains, newest first. */
  chains(): Chain[] {
    return [...this.#chains.values()].sort(newestFirst);
  }

  get(id: ChainId): Chain | undefined {
    return this.#chains.get(id);
  }

  /** Chains whose first slot has come, newest first. */
  inEffect(nowMs: number): Chain[] {
    return this.chains().filter((chain) => chain.atSlot <= slotAt(nowMs, chain.periodMs));
  }

  /**
   * Those of them under which a lane may be opened, newest first: whoever holds one drops it no sooner than
   * maxStaleness after a later slot, by a clock that may be a slot off and after a slot on the way.
   */
  sendable(nowMs: number): Chain[] {
    return this.inEffect(nowMs).filter((chain) => {
      const agedMs = nowMs - startMs(chain) + SENDER_MARGIN_SLOTS * chain.periodMs;
      return agedMs <= this.#maxStalenessMs;
    });
  }

  /** What this node's presence announces (PROTOCOL 4). */
  announce(node: NodeName, sid: Sid, nowMs: number): Presence['chains'] {
    return this.inEffect(nowMs)
      .slice(0, ANNOUNCED_CHAINS)
      .map((chain) => {
        const slot = slotAt(nowMs, chain.periodMs);
        return { chainId: chain.id, slot, check: b64url(this.#check(chain, slot, node, sid)) };
      });
  }

  /** The chains that a peer's presence proves it holds; only slots acceptable now count. */
  confirmed(presence: Presence, nowMs: number): ChainId[] {
    return presence.chains
      .filter(({ chainId, slot, check }) => {
        const chain = this.#chains.get(chainId);
        if (!chain) return false;
        const now = slotAt(nowMs, chain.periodMs);
        if (slot < chain.slot || Math.abs(slot - now) > 1) return false;
        return equal(this.#check(chain, slot, presence.node, presence.sid), fromB64url(check));
      })
      .map(({ chainId }) => chainId);
  }

  #check(chain: Chain, slot: Slot, node: NodeName, sid: Sid): Buffer {
    const key = tickTo(chain.key, chain.slot, slot);
    const check = presenceCheck(key, node, sid);
    wipe(key);
    return check;
  }

  /** The chains as the data plane gets them; keys are copies. */
  live(): LiveChain[] {
    return this.chains().map((chain) => ({
      id: chain.id,
      generation: chain.generation,
      epoch: chain.epoch,
      periodMs: chain.periodMs,
      algorithm: chain.algorithm,
      atSlot: chain.atSlot,
      slot: chain.slot,
      key: Buffer.from(chain.key),
    }));
  }

  /** Drops and wipes everything. */
  close(): void {
    for (const chain of this.#chains.values()) this.#drop(chain);
  }
}
