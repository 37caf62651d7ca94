// The data plane's questions whose an address is, brought to whoever follows peers: each address once at a
// time, and never for long. It decides nothing, and says nothing that it was not told.
import { sleep, type Clock } from '#agent/base/clock.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { limitedLog } from './limitedLog.ts';
import type { Log } from './log.ts';

/** As long as a worker waits (ANSWER_WITHIN_MS): later nobody does. */
export const INQUIRY_MS = 3000;
/** More than honest workers ask at once, unless there are very many of them. */
const MAX_INQUIRIES = 16_384;

export class Inquiries {
  readonly #find: (address: string) => Promise<boolean | undefined>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #open = new Map<string, Promise<boolean | undefined>>();

  constructor(
    find: (address: string) => Promise<boolean | undefined>,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ) {
    this.#find = find;
    this.#clock = clock;
    this.#log = limitedLog(log, clock, 1);
  }

  /** What is found of `address`; undefined: nothing, in time. Never rejects. */
  ask(address: string): Promise<boolean | undefined> {
    const open = this.#open.get(address);
    if (open) return open;
    if (this.#open.size >= MAX_INQUIRIES) return Promise.resolve(undefined);
    const asked = this.#ask(address).finally(() => this.#open.delete(address));
    this.#open.set(address, asked);
    return asked;
  }

  async #ask(address: string): Promise<boolean | undefined> {
    const answered = new AbortController();
    const late = sleep(this.#clock, INQUIRY_MS, answered.signal).then(() => undefined);
    try {
      return await Promise.race([this.#find(address), late]);
    } catch (thrown) {
      const error = asTidelockError(thrown, 'plane.whereIs');
      this.#log.warn('plane.whereIs', { error });
      return undefined;
    } finally {
      answered.abort();
    }
  }
}
