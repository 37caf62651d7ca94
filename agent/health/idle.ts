// Connections of the health address from which no complete request has come yet, or that have been given
// their answer: how many there may be, and which goes when there are more. It never closes one that waits.
import type { Socket } from 'node:net';

/** Over this the oldest is closed, not the new one refused: nobody can lock a probe out. */
export const MAX_IDLE = 512;

export class IdleConnections {
  readonly #idle = new Set<Socket>();
  #isClosingDue = false;

  /** A connection that was made, or has been answered. */
  add(socket: Socket): void {
    if (socket.destroyed) return;
    this.#idle.add(socket);
    if (this.#idle.size <= MAX_IDLE || this.#isClosingDue) return;
    this.#isClosingDue = true;
    // By the turn after the next, what callers have sent already was read: they are idle no more.
    setImmediate(() => setImmediate(() => this.#closeOldest()));
  }

  /** A connection whose request is complete, or that is gone. */
  delete(socket: Socket): void {
    this.#idle.delete(socket);
  }

  #closeOldest(): void {
    this.#isClosingDue = false;
    for (const socket of this.#idle) {
      if (this.#idle.size <= MAX_IDLE) return;
      this.#idle.delete(socket);
      socket.destroy();
    }
  }
}
