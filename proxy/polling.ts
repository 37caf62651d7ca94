// Whether a loop that has nothing to do asks again for a moment before it sleeps. To sleep and be woken
// costs a lane more than its cryptography (docs/decisions/0013), so a loop that is about to be woken stays
// awake; one that was wrong about that a few times sleeps at once.

/** How long to go on asking, milliseconds. Sleeping and waking takes 5 to 20 us, a round trip about 100. */
export const POLL_MS = 0.1;
/** So many polls in vain in a row, and none is tried before sleep has been short again. */
const MAX_TRUST = 4;

export class Polling {
  /** 0: sleep at once. */
  #trust = 0;

  /** True where the next event is likely to come sooner than it would take to sleep until it. */
  get isWorthwhile(): boolean {
    return this.#trust > 0;
  }

  /** Asking again has found something, or has found nothing until POLL_MS were over. */
  polled(found: boolean): void {
    this.#trust = found ? MAX_TRUST : this.#trust - 1;
  }

  /** An event has ended a sleep of `ms` milliseconds. */
  slept(ms: number): void {
    if (ms < POLL_MS && this.#trust < MAX_TRUST) this.#trust += 1;
  }
}
