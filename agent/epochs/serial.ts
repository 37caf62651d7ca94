// One thing at a time: messages and slots of the epoch plane are handled in order of arrival. The
// queue is bounded, and a handler that fails is reported and does not stop the next.
import { asTidelockError } from '#agent/base/errors.ts';
import type { Log } from '#agent/log.ts';

const MAX_QUEUED = 10_000;

export class Serial {
  readonly #log: Log;
  #tail: Promise<void> = Promise.resolve();
  #queued = 0;
  #dropped = 0;
  #closed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Queues a task; when too many wait it is dropped and counted. */
  add(what: string, task: () => Promise<void>): void {
    if (this.#closed) return;
    if (this.#queued >= MAX_QUEUED) {
      this.#dropped += 1;
      if (this.#dropped % 1000 === 1)
        this.#log.warn('queue.full', { what, dropped: this.#dropped });
      return;
    }
    this.#queued += 1;
    this.#tail = this.#tail.then(async () => {
      this.#queued -= 1;
      if (this.#closed) return;
      try {
        await task();
      } catch (thrown) {
        this.#log.error('task.failed', { what, error: asTidelockError(thrown, `epochs.${what}`) });
      }
    });
  }

  /** Waits for the task under way and forgets the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }
}
