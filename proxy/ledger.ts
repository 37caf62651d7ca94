// Which worker thread has which descriptor, so that what a thread leaves behind when it ends can be closed:
// its connections would stay open for good, and nobody would hear of it. A word per descriptor, in memory of
// the process, written by the thread that watches it.
import { closeFd } from '#proxy/native/fd.ts';
import { isListening } from '#proxy/native/listening.ts';
import { resetOnClose } from '#proxy/native/stream.ts';

/** Descriptors with a higher number are not kept account of. */
const MAX_DESCRIPTORS = 1 << 20;
const NOBODY = 0;

/** Memory for a process that may open so many. */
export const ledgerMemory = (descriptorLimit: number): SharedArrayBuffer =>
  new SharedArrayBuffer(Math.min(descriptorLimit, MAX_DESCRIPTORS) * Uint16Array.BYTES_PER_ELEMENT);

export class Ledger {
  readonly #owners: Uint16Array;
  readonly #own: number;

  /** That of one worker, whose descriptors it notes. */
  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#owners = new Uint16Array(memory);
    this.#own = worker + 1;
  }

  /** `fd` is this worker's. */
  take(fd: number): void {
    this.#owners[fd] = this.#own;
  }

  /** `fd` is about to be closed, or is no longer watched. */
  drop(fd: number): void {
    this.#owners[fd] = NOBODY;
  }

  /** Closes what the worker had when it ended, connections by a RST; how many. */
  clear(): number {
    let closed = 0;
    for (let fd = this.#owners.indexOf(this.#own); fd >= 0;) {
      this.drop(fd);
      // A listener is others' too, and what it accepts from then on would have that setting (socket(7)).
      if (!isListening(fd)) resetOnClose(fd); // fails for what is no connection
      closeFd(fd);
      closed += 1;
      fd = this.#owners.indexOf(this.#own, fd + 1);
    }
    return closed;
  }
}
