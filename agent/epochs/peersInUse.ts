// With which nodes this one has to do (PROTOCOL 3.9): in a small cluster with all, in a large one with those that
// its pods talk to, or whose pods talk to its own. Only their evidence is read and only their presence is heard,
// so that what the bus carries grows with nodes and peers in use, not with the square of nodes.
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Members } from './members.ts';

export interface PeersInUseOptions {
  /** A cluster of up to so many nodes is known whole. */
  readonly knowAllUpTo: number;
  /** Nodes that are in use whatever is exchanged with them. */
  readonly named?: () => readonly NodeName[];
  readonly clock: Clock;
  readonly node: NodeName;
}

interface Use {
  /** By this node. */
  usedAtMs: number;
  /** Since when the peer knows of it. */
  toldAtMs: number;
  /** By the peer, as it says. */
  metAtMs: number;
}

/** More than any node talks to; beyond it the one that came first is given up. */
export const MAX_IN_USE = 2_048;
/** A peer with which nothing is exchanged for so long is in use no more. */
const IDLE_MS = 900_000;
/** Who goes on using a peer says so in time. */
const TELL_AGAIN_MS = IDLE_MS / 3;

export class PeersInUse {
  readonly #o: PeersInUseOptions;
  /** Monotonic milliseconds. */
  readonly #uses = new Map<NodeName, Use>();

  constructor(options: PeersInUseOptions) {
    this.#o = options;
  }

  /** Whether a cluster of these members is known whole. */
  areAll(members: Members): boolean {
    return members.rows.length <= this.#o.knowAllUpTo;
  }

  /** Notes that this node uses a peer. */
  use(node: NodeName): void {
    if (node === this.#o.node) return;
    const nowMs = this.#o.clock.monoMs();
    const use = this.#uses.get(node);
    if (use) use.usedAtMs = nowMs;
    else this.#add(node, { usedAtMs: nowMs, toldAtMs: nowMs, metAtMs: -Infinity });
  }

  /** Notes that a peer uses this node; true when they had nothing to do with each other before. */
  met(node: NodeName): boolean {
    if (node === this.#o.node) return false;
    const nowMs = this.#o.clock.monoMs();
    const use = this.#uses.get(node);
    if (use) use.metAtMs = nowMs;
    else this.#add(node, { usedAtMs: -Infinity, toldAtMs: -Infinity, metAtMs: nowMs });
    return !use;
  }

  #add(node: NodeName, use: Use): void {
    const [oldest] = this.#uses.keys();
    if (this.#uses.size >= MAX_IN_USE && oldest !== undefined) this.#uses.delete(oldest);
    this.#uses.set(node, use);
  }

  /** Those in use that are members. */
  of(members: Members): readonly NodeName[] {
    if (this.areAll(members)) {
      return members.rows.flatMap(({ node }) => (node === this.#o.node ? [] : [node]));
    }
    const idleSinceMs = this.#o.clock.monoMs() - IDLE_MS;
    for (const [node, { usedAtMs, metAtMs }] of this.#uses) {
      if (Math.max(usedAtMs, metAtMs) < idleSinceMs) this.#uses.delete(node);
    }
    const { named = () => [], node: self } = this.#o;
    const all = new Set([...this.#uses.keys(), ...named()]);
    return [...all].filter((node) => node !== self && members.get(node));
  }

  /** All that may be in use, members or not. */
  all(): readonly NodeName[] {
    return [...this.#uses.keys()];
  }

  /** Peers that this node has used since it told them, some time ago. They count as told then. */
  toMeetAgain(): readonly NodeName[] {
    const nowMs = this.#o.clock.monoMs();
    return [...this.#uses].flatMap(([node, use]) => {
      if (use.usedAtMs <= use.toldAtMs || nowMs - use.toldAtMs < TELL_AGAIN_MS) return [];
      use.toldAtMs = nowMs;
      return [node];
    });
  }
}
