// One bypass event a second for each pod, direction and remote end: the first at once, the others as one
// with their number. Bounded; when there are too many at once, each is told by itself.
import type { Clock } from '#agent/base/clock.ts';
import type { BypassEvent } from './events.ts';

const WINDOW_MS = 1_000;
const MAX_OPEN = 1_024;

interface Window {
  readonly sinceMs: number;
  /** The newest that was held back, with how many. */
  held: BypassEvent | undefined;
}

export class BypassWindow {
  readonly #clock: Clock;
  readonly #emit: (event: BypassEvent) => void;
  readonly #open = new Map<string, Window>();

  constructor(clock: Clock, emit: (event: BypassEvent) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Tells it at once, or holds it until the window of its like is over. */
  add(event: BypassEvent): void {
    const key = [event.where.uid, event.direction, event.remote.address, event.remote.port].join();
    const window = this.#open.get(key);
    if (window) {
      window.held = { ...event, count: event.count + (window.held?.count ?? 0) };
      return;
    }
    if (this.#open.size < MAX_OPEN) {
      this.#open.set(key, { sinceMs: this.#clock.monoMs(), held: undefined });
    }
    this.#emit(event);
  }

  /** Tells what was held in windows that are over. To be called about twice a second. */
  flush(): void {
    const nowMs = this.#clock.monoMs();
    for (const [key, { sinceMs, held }] of this.#open) {
      if (nowMs - sinceMs < WINDOW_MS) continue;
      this.#open.delete(key);
      // It goes on: the next window begins with what this one held, so that one event a second stays one.
      if (held) {
        this.#open.set(key, { sinceMs: nowMs, held: undefined });
        this.#emit(held);
      }
    }
  }
}
