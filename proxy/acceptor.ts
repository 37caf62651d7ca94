// A listening socket of one worker: hands over what it accepts, and pauses where descriptors have run out
// instead of asking for the same connection again and again.
import { asTidelockError } from '#agent/base/errors.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { acceptNext, setNoDelay, type Accepted } from '#proxy/native/stream.ts';
import type { Reactor } from './reactor.ts';

/** Connections accepted in one turn: the other workers want theirs. */
const MAX_AT_ONCE = 8;
/** Until it tries again when none can be accepted, milliseconds. */
const PAUSE_MS = 100;

export interface Acceptor {
  /** Closes the descriptor. */
  close(): void;
}

/**
 * Accepts on a listening descriptor, which it then owns; whoever is given a connection owns its
 * descriptor. `onError` reports a failed accept (EMFILE), after which accepting goes on.
 * Errors: SYSCALL_FAILED when the descriptor is not a socket.
 */
export function acceptOn(
  reactor: Reactor,
  fd: number,
  onAccept: (accepted: Accepted) => void,
  onError: (error: Error) => void,
): Acceptor {
  let isClosed = false;
  let isPaused = false;
  const resume = (): void => {
    isPaused = false;
    if (!isClosed) reactor.watchReadable(fd, watched);
  };
  const next = (): Accepted | undefined => {
    try {
      return acceptNext(fd);
    } catch (thrown) {
      isPaused = true;
      reactor.unwatch(fd);
      reactor.clock.after(PAUSE_MS, resume);
      onError(asTidelockError(thrown, 'lane.accept'));
      return undefined;
    }
  };
  const watched = {
    ready: (): void => {
      for (let n = 0; n < MAX_AT_ONCE && !isClosed; n += 1) {
        const accepted = next();
        if (!accepted) return;
        onAccept(accepted);
      }
    },
  };
  try {
    reactor.watchReadable(fd, watched);
    setNoDelay(fd); // and thereby for all that it accepts
  } catch (cause) {
    closeFd(fd);
    throw cause;
  }
  return {
    close: () => {
      isClosed = true;
      if (!isPaused) reactor.unwatch(fd);
      closeFd(fd);
    },
  };
}
