// A side of a lane that has no socket: what stands where the application's connection would be when an
// agent itself speaks. What it is told comes a turn later, as it would from a socket.
import { Buffer } from 'node:buffer';
import type { LaneSide } from './lane.ts';
import { NOBODY, type LegOwner } from './leg.ts';

/** What comes over the lane. */
export interface Hearing {
  data(bytes: Buffer): void;
  /** The other end has said all. */
  end(): void;
}

/** Does something after what is under way; a worker's Reactor.late, since no microtask runs there. */
export type Defer = (act: () => void) => void;

export class InnerSide implements LaneSide {
  owner: LegOwner = NOBODY;
  readonly isFull = false;
  readonly isBehind = false;
  isClosed = false;
  readonly #defer: Defer;
  readonly #hearing: Hearing;
  #hasFinished = false;
  #isHeard = false;

  constructor(defer: Defer, hearing: Hearing) {
    this.#defer = defer;
    this.#hearing = hearing;
  }

  write(bytes: Buffer): void {
    const own = Buffer.from(bytes); // what is written is valid until this returns
    this.#later(() => this.#hearing.data(own));
  }

  end(): void {
    this.#later(() => {
      this.#isHeard = true;
      if (this.#hasFinished) this.#close(false);
      else this.#hearing.end();
    });
  }

  flush(): boolean {
    return true;
  }

  reset(): void {
    this.#later(() => this.#close(true));
  }

  pause(): void {
    // It says little, and all of it at once.
  }

  resume(): void {
    // As for pause.
  }

  keepAlive(): void {
    // It cannot vanish.
  }

  /** Says the last that this side has to say. */
  finish(): void {
    if (this.isClosed || this.#hasFinished) return;
    this.#hasFinished = true;
    this.owner.end();
    if (this.#isHeard) this.#close(false);
  }

  #close(failed: boolean): void {
    this.isClosed = true;
    this.owner.closed(failed);
  }

  #later(act: () => void): void {
    this.#defer(() => {
      if (!this.isClosed) act();
    });
  }
}
