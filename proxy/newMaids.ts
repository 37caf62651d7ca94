// How many MAIDs that are not known a peer may have verified: an honest one shows a new one a slot for each
// of its pods, and another could make the whole data plane verify what it invents. One bucket a peer.
import type { Clock } from '#agent/base/clock.ts';

/** Of one peer, by each worker: twice as many pods as a node is meant for, all of them within a slot's first second. */
const AT_ONCE = 1024;
const PER_SECOND = 256;
/** Asked for and not answered. */
const MAX_PENDING = 512;
const STEP_MS = 1000 / PER_SECOND;
/** Beyond so many peers those that have asked for nothing of late are forgotten. */
const MAX_PEERS = 1024;

interface Account {
  /** When its bucket is full again. */
  fullMs: number;
  pending: number;
}

export class NewMaids {
  readonly #clock: Pick<Clock, 'monoMs'>;
  readonly #accounts = new Map<string, Account>();

  constructor(clock: Pick<Clock, 'monoMs'>) {
    this.#clock = clock;
  }

  /** Takes one for `peer`, until done(); false: not now. */
  take(peer: string): boolean {
    const nowMs = this.#clock.monoMs();
    const account = this.#of(peer, nowMs);
    const fullMs = Math.max(account.fullMs, nowMs) + STEP_MS;
    if (account.pending >= MAX_PENDING || fullMs - nowMs > AT_ONCE * STEP_MS) return false;
    account.fullMs = fullMs;
    account.pending += 1;
    return true;
  }

  /** One that was taken for `peer` is answered. */
  done(peer: string): void {
    const account = this.#accounts.get(peer);
    if (account) account.pending -= 1;
  }

  #of(peer: string, nowMs: number): Account {
    const known = this.#accounts.get(peer);
    if (known) return known;
    if (this.#accounts.size >= MAX_PEERS) {
      for (const [name, { fullMs, pending }] of this.#accounts) {
        if (pending === 0 && fullMs <= nowMs) this.#accounts.delete(name);
      }
    }
    const made: Account = { fullMs: nowMs, pending: 0 };
    this.#accounts.set(peer, made);
    return made;
  }
}
