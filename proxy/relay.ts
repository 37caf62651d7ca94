// A connection within the node, or to a destination without an agent: two legs, bytes copied between
// them, half-close as half-close and reset as reset. No lane: identity and policy were decided before.
import { Conversation, type CutReason } from './conversation.ts';
import type { CloseReason } from './counters.ts';
import type { Leg, LegOwner } from './leg.ts';
import type { Passage } from './passage.ts';
import type { Standing } from './routes.ts';

export class Relay extends Conversation {
  readonly standing: Standing;
  readonly passage: Passage;
  readonly heardUnder = undefined;
  readonly isHeldBack = false;
  isHalfClosed = false;
  readonly #legs: readonly [app: Leg, far: Leg];
  readonly #done: (how: CloseReason) => void;
  #open = 2;
  #isKeptAlive = false;
  /** The first thing that cut it short. */
  #ending: CloseReason = 'clean';

  /** Takes both legs over; `done` is called when both are gone. */
  constructor(
    app: Leg,
    far: Leg,
    standing: Standing,
    passage: Passage,
    done: (how: CloseReason) => void,
  ) {
    super();
    this.standing = standing;
    this.passage = passage;
    this.#legs = [app, far];
    this.#done = done;
    const sent = (length: number): void => passage.sent(length);
    const received = (length: number): void => passage.received(length);
    app.owner = this.#between(app, far, sent, 'application-reset');
    far.owner = this.#between(far, app, received, 'destination-reset');
  }

  get isBehind(): boolean {
    return this.#legs.some((leg) => leg.isBehind);
  }

  /** It has no keys; keepalive is for what lasts. */
  refresh(): void {
    if (this.#isKeptAlive) return;
    this.#isKeptAlive = true;
    for (const leg of this.#legs) leg.keepAlive();
  }

  cut(why: CutReason): void {
    this.#endAs(why);
    for (const leg of this.#legs) leg.reset();
  }

  #between(from: Leg, to: Leg, count: (length: number) => void, reset: CloseReason): LegOwner {
    let ended = false;
    return {
      data: (bytes) => {
        count(bytes.length);
        to.write(bytes);
        if (to.isFull) from.pause();
      },
      end: () => {
        ended = true;
        this.isHalfClosed = true;
        to.end();
      },
      drained: () => to.resume(),
      closed: (failed) => {
        if (failed || !ended) {
          this.#endAs(reset);
          to.reset();
        }
        this.#open -= 1;
        if (this.#open === 0) this.#done(this.#ending);
      },
    };
  }

  #endAs(how: CloseReason): void {
    if (this.#ending === 'clean') this.#ending = how;
  }
}
