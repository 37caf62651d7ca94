// One thing at a time: slots and messages of the epoch plane are handled one after the other. What the
// agent itself must do goes first and is never dropped; messages wait in a bounded queue, so that a
// flood on the bus costs messages and not slots.
import { asTidelockError } from '#agent/base/errors.ts';
import type { Log } from '#agent/log.ts';

type Task = () => Promise<void>;

interface Queued {
  readonly what: string;
  readonly task: Task;
}

const MAX_MESSAGES = 2_000;
/** Messages handled before the event loop has its turn: the control socket stays answered. */
const MESSAGES_AT_ONCE = 64;

export class Serial {
  readonly #log: Log;
  readonly #own: Queued[] = [];
  readonly #messages: Queued[] = [];
  #running: Promise<void> | undefined;
  #dropped = 0;
  #closed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Queues something the agent itself must do, before all messages; false: nothing is done any more. */
  add(what: string, task: Task): boolean {
    if (this.#closed) return false;
    this.#own.push({ what, task });
    this.#running ??= this.#run();
    return true;
  }

  /** Queues the handling of a message; when too many wait it is dropped and counted. */
  addMessage(what: string, task: Task): void {
    if (this.#closed) return;
    if (this.#messages.length >= MAX_MESSAGES) {
      this.#dropped += 1;
      if (this.#dropped % MAX_MESSAGES === 1) {
        const text = `more messages than can be handled: ${this.#dropped} dropped so far. Somebody floods the bus; its permissions should let each node publish only its own subjects.`;
        this.#log.warn('bus.flood', { what, dropped: this.#dropped, text });
      }
      return;
    }
    this.#messages.push({ what, task });
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what is queued in this turn is in order before anything starts
    for (let handled = 1; ; handled += 1) {
      const next = this.#closed ? undefined : (this.#own.shift() ?? this.#messages.shift());
      if (next === undefined) break;
      try {
        await next.task();
      } catch (thrown) {
        const error = asTidelockError(thrown, `epochs.${next.what}`);
        this.#log.error('task.failed', { what: next.what, error });
      }
      if (handled % MESSAGES_AT_ONCE === 0) await new Promise(setImmediate);
    }
    this.#running = undefined;
  }

  /** Waits until nothing is left to do. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Waits for the task under way and forgets the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }
}
