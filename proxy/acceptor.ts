// A listening socket of one worker: hands over what it accepts, and pauses where descriptors or memory
// have run out instead of asking for the same connection again and again. Who waits meanwhile stays in
// the listen queue.
import { asTidelockError } from '#agent/base/errors.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { acceptNext, type Accepted } from '#proxy/native/stream.ts';
import type { Reactor, Watched } from './reactor.ts';

/** Connections accepted in one turn: the other workers want theirs. */
const MAX_AT_ONCE = 8;
/** Until it tries again when none can be accepted: twice as long each time, milliseconds. */
const PAUSE_MS = { min: 50, max: 800 };

export class Acceptor implements Watched {
  readonly #reactor: Reactor;
  readonly #fd: number;
  readonly #onAccept: (accepted: Accepted) => void;
  readonly #onError: (error: Error) => void;
  #isPaused = false;
  /** Of the next pause; the shortest while all is well. */
  #pauseMs = PAUSE_MS.min;
  #isClosed = false;

  /**
   * Accepts on a listening descriptor, which it then owns; whoever is given a connection owns its
   * descriptor. `onError` reports a failed accept (EMFILE, ENFILE, ENOMEM), once until one succeeds again.
   * Errors: SYSCALL_FAILED when the descriptor is not a socket.
   */
  constructor(
    reactor: Reactor,
    fd: number,
    onAccept: (accepted: Accepted) => void,
    onError: (error: Error) => void,
  ) {
    this.#reactor = reactor;
    this.#fd = fd;
    this.#onAccept = onAccept;
    this.#onError = onError;
    try {
      reactor.watchReadable(fd, this);
    } catch (cause) {
      closeFd(fd);
      throw cause;
    }
  }

  /** Called by the reactor. */
  ready(): void {
    for (let n = 0; n < MAX_AT_ONCE && !this.#isClosed; n += 1) {
      const accepted = this.#next();
      if (!accepted) return;
      this.#onAccept(accepted);
    }
  }

  /** Closes the descriptor: who waits to be accepted is refused, unless somebody else holds it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isPaused) this.#reactor.unwatch(this.#fd);
    closeFd(this.#fd);
  }

  #next(): Accepted | undefined {
    try {
      const accepted = acceptNext(this.#fd);
      if (!accepted) return undefined;
      this.#pauseMs = PAUSE_MS.min;
      this.#reactor.take(accepted.fd);
      return accepted;
    } catch (thrown) {
      const isFirst = this.#pauseMs === PAUSE_MS.min;
      this.#pause();
      if (isFirst) this.#onError(asTidelockError(thrown, 'lane.accept'));
      return undefined;
    }
  }

  #pause(): void {
    this.#isPaused = true;
    this.#reactor.unwatch(this.#fd);
    this.#reactor.clock.after(this.#pauseMs, () => {
      this.#isPaused = false;
      if (!this.#isClosed) this.#reactor.watchReadable(this.#fd, this);
    });
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS.max);
  }
}
