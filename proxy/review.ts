// Looks at live connections under each snapshot and says which of them have to end: what the snapshot
// objects to, what is heard too long under a statement that its peer has replaced (PROTOCOL 7.3), and
// what one end has half closed and nothing moves on, though no end is slow to read. It remembers only those that are on their way out.
import type { Clock } from '#agent/base/clock.ts';
import { cutReasonOf, type Conversation, type CutReason } from './conversation.ts';
import type { Routes } from './routes.ts';

/** A lane may be heard this long under a statement that its peer has replaced: three slots. */
const OUTDATED_MS = 90_000;
/**
 * So much may lie between the two ends of a lane, and before a KEYUPDATE, whose application reads slowly:
 * more than both kernels and both agents hold (tcp(7), leg.ts).
 */
const MAX_LAG_BYTES = 64 << 20;

/** Under whose keys a lane is heard too long. */
interface Outdated {
  sinceMs: number;
  /** What the lane had carried when it was first seen so. */
  readonly heard: number;
}

/** When a half-closed connection last moved. */
interface Still {
  readonly moved: number;
  readonly sinceMs: number;
}

export class Review {
  readonly #clock: Pick<Clock, 'monoMs'>;
  readonly #outdated = new WeakMap<Conversation, Outdated>();
  readonly #still = new WeakMap<Conversation, Still>();

  constructor(clock: Pick<Clock, 'monoMs'>) {
    this.#clock = clock;
  }

  /** Why `conversation` has to end under these routes; undefined: it may go on. */
  objection(
    conversation: Conversation,
    routes: Pick<Routes, 'objection' | 'speaksAs'>,
    { isPolicyNew, halfClosedMs }: { readonly isPolicyNew: boolean; readonly halfClosedMs: number },
  ): CutReason | undefined {
    const objection = routes.objection(conversation.standing, isPolicyNew);
    if (objection) return cutReasonOf(objection);
    if (this.#isOutdated(conversation, routes)) return 'keys';
    return this.#isStill(conversation, halfClosedMs) ? 'half-closed' : undefined;
  }

  #isOutdated(conversation: Conversation, routes: Pick<Routes, 'speaksAs'>): boolean {
    const { heardUnder, standing, passage } = conversation;
    if (!standing.peer || !heardUnder || routes.speaksAs(standing.peer, heardUnder)) {
      this.#outdated.delete(conversation);
      return false;
    }
    const nowMs = this.#clock.monoMs();
    const outdated = this.#outdated.get(conversation) ?? { sinceMs: nowMs, heard: passage.heard };
    this.#outdated.set(conversation, outdated);
    // Its KEYUPDATE may lie unread: time does not count, but only as much may be heard as can lie there.
    const mayLag = passage.heard - outdated.heard < MAX_LAG_BYTES;
    if (conversation.isHeldBack && mayLag) outdated.sinceMs = nowMs;
    return nowMs - outdated.sinceMs > OUTDATED_MS;
  }

  #isStill(conversation: Conversation, halfClosedMs: number): boolean {
    if (!conversation.isHalfClosed) return false;
    const nowMs = this.#clock.monoMs();
    const { moved } = conversation.passage;
    const still = this.#still.get(conversation);
    if (still?.moved === moved && !conversation.isBehind)
      return nowMs - still.sinceMs > halfClosedMs;
    this.#still.set(conversation, { moved, sinceMs: nowMs });
    return false;
  }
}
