// What the control plane has asked a data plane and waits for: each question has a number, a time
// limit and one answer. It believes no answer to a question it did not ask.
import { randomInt } from 'node:crypto';
import type { Clock } from '#agent/base/clock.ts';
import type { CanaryAnswer, LanePage } from './control.ts';

type Answer = LanePage | CanaryAnswer;

interface Waiting {
  readonly type: Answer['type'];
  readonly settle: (answer: Answer | undefined) => void;
}

/** Of randomInt(). */
const MAX_FIRST = 2 ** 48 - 1;
/** A data plane that is well answers in milliseconds; a canary takes what its lane takes. */
const ANSWER_WITHIN_MS = 10_000;

export class Questions {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  /** Drawn: what was asked by the control plane before has another number. */
  #asked = randomInt(MAX_FIRST);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sends a question under a new number; undefined when no answer comes in time. */
  ask<T extends Answer['type']>(
    type: T,
    send: (id: number) => void,
  ): Promise<Extract<Answer, { type: T }> | undefined> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ANSWER_WITHIN_MS, () => settle(undefined));
      const settle = (answer: Answer | undefined): void => {
        cancel();
        this.#waiting.delete(id);
        resolve(answer as Extract<Answer, { type: T }> | undefined);
      };
      this.#waiting.set(id, { type, settle });
      send(id);
    });
  }

  /** Takes an answer; one that nobody waits for, or of another kind, is left aside. */
  answer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting?.type === answer.type) waiting.settle(answer);
  }

  /** Nobody will answer any more. */
  close(): void {
    for (const { settle } of this.#waiting.values()) settle(undefined);
  }
}
