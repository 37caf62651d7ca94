// Which peers the connections of one worker are with, told to the control plane now and then: it follows
// those that are in use. Canaries are nobody's use.
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { MAX_PEERS_USED } from './control.ts';
import type { Conversation } from './conversation.ts';

/** From one word to the next. */
export const USING_EVERY_MS = 10_000;

interface Use {
  /** Conversations alive. */
  live: number;
  /** There was one since the last word. */
  isNew: boolean;
}

export class PeersInUse {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #say: (peers: readonly NodeName[]) => void;
  /** A peer stays in it between two words, whatever comes and goes. */
  readonly #uses = new Map<NodeName, Use>();
  #cancel: (() => void) | undefined;

  /** `say`: at most MAX_PEERS_USED at a time, and at least one. */
  constructor(clock: Pick<Clock, 'after'>, say: (peers: readonly NodeName[]) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  entered(conversation: Conversation): void {
    const peer = peerOf(conversation);
    if (peer === undefined) return;
    const use = this.#uses.get(peer);
    if (use) {
      use.live += 1;
      use.isNew = true;
    } else this.#uses.set(peer, { live: 1, isNew: true });
    this.#cancel ??= this.#clock.after(USING_EVERY_MS, () => this.tell());
  }

  left(conversation: Conversation): void {
    const peer = peerOf(conversation);
    const use = peer === undefined ? undefined : this.#uses.get(peer);
    if (use) use.live -= 1;
  }

  /** Says which are in use and which were since the last word. */
  tell(): void {
    this.close();
    const peers: NodeName[] = [];
    for (const [peer, use] of this.#uses) {
      if (use.live > 0 || use.isNew) peers.push(peer);
      if (use.live === 0) this.#uses.delete(peer);
      use.isNew = false;
    }
    for (let at = 0; at < peers.length; at += MAX_PEERS_USED) {
      this.#say(peers.slice(at, at + MAX_PEERS_USED));
    }
    if (this.#uses.size > 0) this.#cancel = this.#clock.after(USING_EVERY_MS, () => this.tell());
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}

const peerOf = ({ standing, passage }: Conversation): NodeName | undefined =>
  passage.isTraffic ? standing.peer : undefined;
