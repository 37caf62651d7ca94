// A worker's questions to the main thread, which alone verifies signatures (desk.ts), and their answers.
import type { FromWorker } from './control.ts';
import type { Verify } from './maidDesk.ts';

export class Verifier {
  readonly #post: (message: Extract<FromWorker, { type: 'verify' }>) => void;
  readonly #waiting = new Map<number, (valid: boolean) => void>();
  #asked = 0;

  constructor(post: (message: Extract<FromWorker, { type: 'verify' }>) => void) {
    this.#post = post;
  }

  readonly verify: Verify = (check, answer) => {
    this.#asked += 1;
    this.#waiting.set(this.#asked, answer);
    // Memory of their own: a message takes all of what its arrays are views of along, and that is a
    // snapshot with its keys, or a pool in which secrets lie.
    this.#post({
      type: 'verify',
      id: this.#asked,
      key: Uint8Array.from(check.key),
      message: Uint8Array.from(check.message),
      signature: Uint8Array.from(check.signature),
    });
  };

  /** The main thread has answered. */
  answered(id: number, valid: boolean): void {
    this.#waiting.get(id)?.(valid);
    this.#waiting.delete(id);
  }
}
