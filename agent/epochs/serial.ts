// One thing at a time: slots and messages of the epoch plane are handled one after the other. What the
// agent itself must do goes first and is never dropped; messages wait in a bounded queue, so that a
// flood on the bus costs messages and not slots. They wait as bytes: what one says is read in its turn.
import { asTidelockError } from '#agent/base/errors.ts';
import type { Log } from '#agent/log.ts';
import type { Heard } from './bus.ts';

type Task = () => Promise<void>;

interface Queued {
  readonly what: string;
  readonly task: Task;
}

interface QueuedMessage extends Queued {
  readonly lenBytes: number;
}

const MAX_MESSAGES = 2_000;
const MAX_WAITING_BYTES = 16 << 20;
/** Of them for messages of one kind: a flood of one leaves room for the others. */
const MAX_KIND_BYTES = MAX_WAITING_BYTES / 2;
/** Messages handled before the event loop has its turn: the control socket stays answered. */
const MESSAGES_AT_ONCE = 64;

export class Serial {
  readonly #log: Log;
  readonly #own: Queued[] = [];
  readonly #messages: QueuedMessage[] = [];
  /** What waits, by kind. */
  readonly #waitingBytes = new Map<string, number>();
  #running: Promise<void> | undefined;
  #dropped = 0;
  #closed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** True while something is under way, or waits. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** True once nothing is done any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Queues something the agent itself must do, before all messages; false: nothing is done any more. */
  add(what: string, task: Task): boolean {
    if (this.#closed) return false;
    this.#own.push({ what, task });
    this.#running ??= this.#run();
    return true;
  }

  /**
   * Queues a message; `handle` is given what it says, if that is JSON. When too many wait, or 16 MiB of them, it is
   * dropped and counted.
   */
  addMessage(what: string, message: Heard, handle: (value: unknown) => Promise<void>): void {
    if (this.#closed) return;
    const { lenBytes } = message;
    if (this.#messages.length >= MAX_MESSAGES || !this.#fits(what, lenBytes)) {
      this.#dropped += 1;
      if (this.#dropped % MAX_MESSAGES === 1) {
        const text = `more messages than can be handled: ${this.#dropped} dropped so far. Somebody floods the bus; its permissions should let each node publish only its own subjects.`;
        this.#log.warn('bus.flood', { what, dropped: this.#dropped, text });
      }
      return;
    }
    this.#count(what, lenBytes);
    const task = async (): Promise<void> => {
      const value = message.read();
      if (value !== undefined) await handle(value);
    };
    this.#messages.push({ what, lenBytes, task });
    this.#running ??= this.#run();
  }

  #fits(what: string, lenBytes: number): boolean {
    const inAll = [...this.#waitingBytes.values()].reduce((sum, each) => sum + each, 0);
    const ofKind = this.#waitingBytes.get(what) ?? 0;
    return inAll + lenBytes <= MAX_WAITING_BYTES && ofKind + lenBytes <= MAX_KIND_BYTES;
  }

  #count(what: string, lenBytes: number): void {
    this.#waitingBytes.set(what, (this.#waitingBytes.get(what) ?? 0) + lenBytes);
  }

  #nextMessage(): Queued | undefined {
    const message = this.#messages.shift();
    if (message) this.#count(message.what, -message.lenBytes);
    return message;
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what is queued in this turn is in order before anything starts
    for (let handled = 1; ; handled += 1) {
      const next = this.#closed ? undefined : (this.#own.shift() ?? this.#nextMessage());
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
