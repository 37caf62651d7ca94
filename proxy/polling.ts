// Whether a loop that has nothing to do asks again for a moment before it sleeps. To sleep and be woken
// costs a lane more than its cryptography (docs/decisions/0013), so a loop that is about to be woken stays
// awake. Only events that serve somebody count, so that no stranger can keep it so. One that was wrong a few
// times sleeps at once, and so does one that shares its processor: who sleeps is preferred by the scheduler
// when woken, who gives way waits for its turn.

/** How long to go on asking, milliseconds. Sleeping and waking takes 5 to 20 us, a round trip about 100. */
export const POLL_MS = 0.1;
/**
 * Asking once more takes 1 to 2 us, and a peer that was given way to is done after some ten; over this,
 * milliseconds, somebody had the processor who needs it for work of their own.
 */
export const CROWDED_MS = 0.5;
/** So many polls in vain in a row, and none is tried before sleep has been short again. */
const MAX_TRUST = 4;
/**
 * So many short sleeps until a poll is tried again on a processor that was shared: few at first, since a
 * machine stops for a moment now and then, and four times as many each time that it was shared again.
 */
const DISTRUST = { min: 20, max: 1280, growth: 4 } as const;

export class Polling {
  /** Not above 0: sleep at once. */
  #trust = 0;
  #distrust: number = DISTRUST.min;
  /** What the present turn began with, if that may be a reason to poll again. */
  #began: 'poll' | 'short sleep' | undefined;

  /** True where the next event is likely to come sooner than it would take to sleep until it. */
  get isWorthwhile(): boolean {
    return this.#trust > 0;
  }

  /** Asking again has found something, or has found nothing until POLL_MS were over. */
  polled(found: boolean): void {
    if (found) this.#began = 'poll';
    else this.#trust -= 1;
  }

  /** Between two questions somebody else had the processor. */
  crowded(): void {
    this.#trust = -this.#distrust;
    this.#distrust = Math.min(DISTRUST.growth * this.#distrust, DISTRUST.max);
  }

  /** An event has ended a sleep of `ms` milliseconds. */
  slept(ms: number): void {
    if (ms < POLL_MS) this.#began = 'short sleep';
  }

  /** The turn that followed is over. A stranger is never `served`: it gets no byte (PROTOCOL 6.4). */
  turned(served: boolean): void {
    if (this.#began === 'poll') {
      this.#trust = served ? MAX_TRUST : this.#trust - 1;
      if (served) this.#distrust = DISTRUST.min;
    } else if (this.#began && served && this.#trust < MAX_TRUST) this.#trust += 1;
    this.#began = undefined;
  }
}
