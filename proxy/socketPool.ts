// Unconnected sockets made inside the pods' network namespaces, for delivery into a pod. Asks for more
// before it runs out, and for more at a time the faster they go. Owns the descriptors it holds.
import type { Clock } from '#agent/base/clock.ts';
import { MAX_SOCKETS, type Family } from './control.ts';
import type { DescriptorRoom } from './descriptors.ts';
import { closeFd } from '#proxy/native/fd.ts';

/** Few for a pod that nobody calls: a descriptor each, of the 20,000 a process may have. */
const MIN_TARGET = 8;
/** Connections that may wait for sockets, for one pod and family. */
const MAX_WAITING = 1024;
/** A second request within this time asks for twice as many; after QUIET_MS, for half. */
const BUSY_MS = 1000;
const QUIET_MS = 10_000;

/** Takes the descriptor over, or learns that none will come. */
export type Taker = (fd: number | undefined) => void;

interface Shelf {
  readonly podUid: string;
  readonly family: Family;
  readonly fds: number[];
  readonly waiting: Taker[];
  target: number;
  isAsked: boolean;
  askedMs: number;
  refusedMs: number;
}

export class SocketPool {
  readonly #shelves = new Map<string, Shelf>();
  readonly #ask: (podUid: string, family: Family, want: number) => void;
  readonly #clock: Clock;
  readonly #room: Pick<DescriptorRoom, 'ceiling'>;
  /** Descriptors are short: none is asked for that nobody waits for. */
  #isShort = false;

  constructor(
    ask: (podUid: string, family: Family, want: number) => void,
    clock: Clock,
    room: Pick<DescriptorRoom, 'ceiling'> = { ceiling: Infinity },
  ) {
    this.#ask = ask;
    this.#clock = clock;
    this.#room = room;
  }

  /** Keeps shelves for these pods only, stocked; `families` says which addresses a pod has. */
  retain(pods: readonly { readonly uid: string; readonly families: readonly Family[] }[]): void {
    const wanted = new Set(pods.flatMap(({ uid, families }) => families.map((f) => `${uid}/${f}`)));
    for (const [key, shelf] of this.#shelves) {
      if (wanted.has(key)) continue;
      this.#shelves.delete(key);
      empty(shelf);
    }
    for (const { uid, families } of pods) {
      for (const family of families) this.#restock(this.#shelf(uid, family));
    }
  }

  /** Gives a socket to `taker`, at once or when some arrive; undefined: none, or too many wait. */
  take(podUid: string, family: Family, taker: Taker): void {
    const shelf = this.#shelves.get(`${podUid}/${family}`);
    const fd = shelf?.fds.pop();
    if (!shelf || (fd === undefined && !this.#mayWait(shelf))) {
      taker(undefined);
      return;
    }
    if (fd === undefined) shelf.waiting.push(taker);
    else taker(fd);
    this.#restock(shelf);
  }

  /** Stocks what the control plane made; none is a refusal, and nobody waits for the next try. */
  give(podUid: string, family: Family, fds: readonly number[]): void {
    const shelf = this.#shelves.get(`${podUid}/${family}`);
    if (!shelf) {
      fds.forEach(closeFd);
      return;
    }
    if (fds.length === 0) {
      shelf.refusedMs = this.#clock.monoMs();
      for (const taker of shelf.waiting.splice(0)) taker(undefined);
      return;
    }
    shelf.isAsked = false;
    this.#isShort = fds.some((fd) => fd >= this.#room.ceiling);
    for (const fd of fds) {
      const taker = shelf.waiting.shift();
      if (taker) taker(fd);
      else shelf.fds.push(fd);
    }
    this.#restock(shelf);
  }

  /** Another control plane is there: what the one before may not have heard is asked again. */
  askAgain(): void {
    for (const shelf of this.#shelves.values()) {
      shelf.isAsked = false;
      this.#restock(shelf);
    }
  }

  close(): void {
    for (const shelf of this.#shelves.values()) empty(shelf);
    this.#shelves.clear();
  }

  #shelf(podUid: string, family: Family): Shelf {
    const key = `${podUid}/${family}`;
    let shelf = this.#shelves.get(key);
    if (!shelf) {
      shelf = {
        podUid,
        family,
        fds: [],
        waiting: [],
        target: MIN_TARGET,
        isAsked: false,
        askedMs: -Infinity,
        refusedMs: -Infinity,
      };
      this.#shelves.set(key, shelf);
    }
    return shelf;
  }

  #mayWait({ waiting, refusedMs }: Shelf): boolean {
    return waiting.length < MAX_WAITING && this.#clock.monoMs() - refusedMs > BUSY_MS;
  }

  #restock(shelf: Shelf): void {
    const nowMs = this.#clock.monoMs();
    const sinceMs = nowMs - shelf.askedMs;
    // One that was refused, or lost with the control plane's last life, is made again.
    if (shelf.isAsked && sinceMs < BUSY_MS) return;
    if (shelf.fds.length > shelf.target / 2) return;
    if (sinceMs < BUSY_MS) shelf.target = Math.min(shelf.target * 2, MAX_SOCKETS);
    else if (sinceMs > QUIET_MS) shelf.target = Math.max(shelf.target >> 1, MIN_TARGET);
    const stock = this.#isShort ? 0 : shelf.target - shelf.fds.length;
    const want = stock + shelf.waiting.length;
    if (want <= 0) return; // half of what was enough before is still there
    shelf.isAsked = true;
    shelf.askedMs = nowMs;
    this.#ask(shelf.podUid, shelf.family, Math.min(want, MAX_SOCKETS));
  }
}

function empty({ fds, waiting }: Shelf): void {
  fds.splice(0).forEach(closeFd);
  for (const taker of waiting.splice(0)) taker(undefined);
}
