// What a worker tells of its connections, several accounts in one message: each message wakes two
// threads and then the control plane, which at some thousand connections a second costs as much as they do.
import type { Clock } from '#agent/base/clock.ts';
import type { EventBatch } from './control.ts';
import { EventGate } from './eventGate.ts';
import type { LaneClosed, LaneEvent, LaneRefused } from './facts.ts';

export class EventBox {
  readonly #clock: Clock;
  readonly #holdMs: number;
  readonly #gate: EventGate;
  readonly #post: (batch: EventBatch) => void;
  #events: LaneEvent[] = [];
  #dropped = 0;
  #cancel: () => void = () => undefined;

  /** `holdMs`: how long an event waits for others; 0: not at all. */
  constructor(clock: Clock, holdMs: number, post: (batch: EventBatch) => void) {
    this.#clock = clock;
    this.#holdMs = holdMs;
    this.#gate = new EventGate(clock);
    this.#post = post;
  }

  /** Notes an event of this moment; `tell` is called unless there are too many of its kind. */
  note(
    kind: LaneEvent['kind'],
    tell: () => Omit<LaneClosed, 'at'> | Omit<LaneRefused, 'at'>,
  ): void {
    this.#gate.pass(kind, (dropped) => {
      this.#dropped += dropped;
      this.#events.push({ ...tell(), at: Math.floor(this.#clock.wallMs()) });
      if (this.#holdMs === 0) this.send();
      else if (this.#events.length === 1) {
        this.#cancel = this.#clock.after(this.#holdMs, () => this.send());
      }
    });
  }

  /** Sends what waits. */
  send(): void {
    this.#cancel();
    const [events, dropped] = [this.#events, this.#dropped];
    if (events.length === 0) return;
    this.#events = [];
    this.#dropped = 0;
    this.#post({ events, dropped });
  }
}
