// Work that is done a batch at a time, so that no lane waits long for its turn.
import type { Clock } from '#agent/base/clock.ts';

export class Batches {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  readonly #batch: () => boolean;
  #cancel: (() => void) | undefined;
  #isOver = false;

  /** `batch` does some of what is to be done now, and says whether there is more. */
  constructor(clock: Clock, pauseMs: number, batch: () => boolean) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
    this.#batch = batch;
  }

  /** Does a batch at once and the others after pauses; nothing where that is under way, or after close(). */
  start(): void {
    if (this.#cancel || this.#isOver || !this.#batch()) return;
    this.#cancel = this.#clock.after(this.#pauseMs, () => {
      this.#cancel = undefined;
      this.start();
    });
  }

  close(): void {
    this.#isOver = true;
    this.#cancel?.();
  }
}
