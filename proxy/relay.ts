// A connection within the node, or to a destination without an agent: two legs, bytes copied between
// them, half-close as half-close and reset as reset. No lane: identity and policy were decided before.
import type { Conversation } from './conversation.ts';
import type { CounterRow } from './counters.ts';
import type { Leg, LegOwner } from './leg.ts';
import type { Standing } from './routes.ts';

export class Relay implements Conversation {
  readonly standing: Standing;
  readonly heardUnder = undefined;
  readonly #legs: readonly [app: Leg, far: Leg];
  readonly #done: () => void;
  #open = 2;

  /** Takes both legs over; `done` is called when both are gone. */
  constructor(app: Leg, far: Leg, standing: Standing, counters: CounterRow, done: () => void) {
    this.standing = standing;
    this.#legs = [app, far];
    this.#done = done;
    app.owner = this.#between(app, far, (length) => counters.add('bytesOut', length));
    far.owner = this.#between(far, app, (length) => counters.add('bytesIn', length));
  }

  refresh(): void {
    // No keys: nothing is due.
  }

  cut(): void {
    for (const leg of this.#legs) leg.reset();
  }

  #between(from: Leg, to: Leg, count: (length: number) => void): LegOwner {
    let ended = false;
    return {
      data: (bytes) => {
        count(bytes.length);
        to.write([Buffer.from(bytes)]); // the shared buffer is read into again before it is sent
        if (to.isFull) from.pause();
      },
      end: () => {
        ended = true;
        to.end();
      },
      drained: () => to.resume(),
      closed: (failed) => {
        if (failed || !ended) to.reset();
        this.#open -= 1;
        if (this.#open === 0) this.#done();
      },
    };
  }
}
