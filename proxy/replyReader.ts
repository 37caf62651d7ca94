// A client's wait for the reply to its opening (PROTOCOL 6): one slot, then the lane is given up; a
// right reply takes it from early keys to its own (PROTOCOL 7, kind 0).
import { Buffer } from 'node:buffer';
import { wipe } from '#agent/base/bytes.ts';
import { REPLY_BYTES } from '#proxy/see/opening.ts';
import type { Refusal } from './counters.ts';
import type { Floor } from './floor.ts';
import type { Lane } from './lane.ts';
import { LaneReceiver } from './laneKeys.ts';
import { openReply, type Opening } from './laneOpening.ts';

const NOTHING = Buffer.alloc(0);

/** What becomes of an opening; one of the two is called, or neither when the application left. */
export interface Outcome {
  accepted(): void;
  refused(reason: Refusal, detail: string): void;
}

export class ReplyReader {
  readonly #floor: Floor;
  readonly #opening: Opening;
  readonly #outcome: Outcome;
  #held: Buffer = NOTHING;
  #state: 'waiting' | 'accepted' | 'refused' = 'waiting';
  #cancelDeadline: () => void = () => undefined;

  constructor(floor: Floor, opening: Opening, outcome: Outcome) {
    this.#floor = floor;
    this.#opening = opening;
    this.#outcome = outcome;
  }

  get isAccepted(): boolean {
    return this.#state === 'accepted';
  }

  /** Starts the wait of one slot. */
  start(lane: Lane): void {
    const { chain } = this.#opening.start;
    this.#cancelDeadline = this.#floor.clock.after(chain.periodMs, () =>
      this.#refuse(lane, 'peer-silent', 'no reply within a slot'),
    );
  }

  /** Bytes of the server before the lane is open. */
  take(lane: Lane, bytes: Buffer): void {
    if (this.#state !== 'waiting') return;
    this.#held = Buffer.concat([this.#held, bytes]);
    if (this.#held.length < REPLY_BYTES) return;
    const replied = openReply(this.#opening, this.#held.subarray(0, REPLY_BYTES));
    if (!replied) {
      this.#refuse(lane, 'peer-silent', 'the reply is not that of the peer');
      return;
    }
    const { reply, c2s, s2c, opener } = replied;
    const { start } = this.#opening;
    if (reply.denied) {
      opener.close();
      wipe(c2s, s2c);
      this.#refuse(lane, 'peer-denied', reply.denied);
      return;
    }
    const { ring } = this.#floor;
    const receiver = new LaneReceiver(ring, start, { secret: s2c, opener });
    this.#conclude('accepted');
    if (reply.confirmed) ring.confirm(start.peer, reply.confirmed);
    this.#outcome.accepted();
    lane.accept(c2s, receiver);
    const rest = this.#held.subarray(REPLY_BYTES);
    this.#held = NOTHING; // a lane may live long
    lane.hear(rest);
  }

  /** The lane is gone, whatever ended it. */
  close(how: string): void {
    if (this.#state !== 'waiting') return;
    this.#conclude('refused');
    if (how !== 'application-reset') this.#outcome.refused('peer-silent', how);
  }

  #refuse(lane: Lane, reason: Refusal, detail: string): void {
    this.#conclude('refused');
    this.#outcome.refused(reason, detail);
    lane.giveUp(detail);
  }

  #conclude(state: 'accepted' | 'refused'): void {
    this.#state = state;
    this.#cancelDeadline();
    wipe(this.#opening.ls, this.#opening.start.pair);
  }
}
