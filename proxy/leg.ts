// One TCP side of a relayed connection. Reads arrive in a buffer that all legs of a thread share, so
// that reading allocates nothing; writes say when enough is waiting. Knows no lane and no frame.
import type { OnReadOpts, Socket } from 'node:net';
import type { Clock } from '#agent/base/clock.ts';

/** What a leg tells its owner. Nothing is called after `closed`. */
export interface LegOwner {
  /** Bytes read, in the shared buffer: valid until this returns. */
  data(bytes: Buffer): void;
  /** The other end closed its direction; it may still read. */
  end(): void;
  /** Nothing is waiting to be written any more. */
  drained(): void;
  /** The connection is gone; `failed` when it was reset or timed out. Called once. */
  closed(failed: boolean): void;
}

/** More waiting than this, and whoever feeds the leg stops reading. */
const MAX_WAITING_BYTES = 512 << 10;
/** Reads up to here; larger ones gain nothing (FIELD-NOTES, "A first relay"). */
const READ_BYTES = 512 << 10;

const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** How long what is written "soon" waits for company, milliseconds. */
const SOON_MS = 2;

/** Makes the socket, given where its reads go. */
export type MakeSocket = (onread: OnReadOpts) => Socket;

export class Leg {
  readonly socket: Socket;
  /** Set by whoever takes the connection over. */
  owner: LegOwner;
  #closed = false;
  /** Written by writeSoon() and not yet queued. */
  #soon: readonly Buffer[] = [];
  #cancelSoon: () => void = () => undefined;

  constructor(make: MakeSocket, owner: LegOwner) {
    this.owner = owner;
    this.socket = make({
      buffer: shared,
      callback: (length, buffer) => {
        this.owner.data(buffer.subarray(0, length) as Buffer);
        return true;
      },
    });
    this.socket.on('end', () => this.owner.end());
    this.socket.on('drain', () => this.owner.drained());
    this.socket.on('error', () => undefined); // `close` follows and says that it failed
    this.socket.once('close', (failed) => {
      this.#closed = true;
      this.#cancelSoon();
      this.owner.closed(failed);
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** True while so much waits that its feeder should pause until `drained`. */
  get isFull(): boolean {
    return this.socket.writableLength > MAX_WAITING_BYTES;
  }

  /** Queues the buffers, in one system call where the kernel takes them; they must not change. */
  write(buffers: readonly Buffer[]): void {
    if (this.#soon.length > 0) {
      const all = [...this.#soon, ...buffers];
      this.#soon = [];
      this.#cancelSoon();
      this.write(all);
      return;
    }
    if (!this.socket.writable) return;
    if (buffers.length === 1 && buffers[0]) {
      this.socket.write(buffers[0]);
      return;
    }
    this.socket.cork();
    for (const buffer of buffers) this.socket.write(buffer);
    this.socket.uncork();
  }

  /**
   * Queues the buffers together with the next that are written, or alone after SOON_MS: one segment,
   * one wake-up of the other end and one read there instead of two.
   */
  writeSoon(clock: Clock, buffers: readonly Buffer[]): void {
    this.#soon = this.#soon.length === 0 ? buffers : [...this.#soon, ...buffers];
    this.#cancelSoon();
    this.#cancelSoon = clock.after(SOON_MS, () => this.write([]));
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** FIN after what is queued; `sent` is called when the kernel has all of it. */
  end(sent?: () => void): void {
    if (this.#soon.length > 0) this.write([]);
    if (sent) this.socket.once('finish', sent);
    if (!this.socket.writableEnded) this.socket.end();
  }

  /** RST at once; what is queued is lost. */
  reset(): void {
    if (!this.#closed) this.socket.resetAndDestroy();
  }

  /** Closes at once: FIN, or RST where bytes were left unread. */
  destroy(): void {
    this.socket.destroy();
  }
}
