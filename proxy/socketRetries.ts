// Requests for sockets into pods that could not be met yet: after another control plane a pod may be about
// to be captured. One loop for each pod and family, however often and by however many workers they are
// asked for, and few loops: a data plane that was taken over can ask for pods that never were.
import type { Clock } from '#agent/base/clock.ts';
import type { DataMessage } from './control.ts';

export type PoolLow = Extract<DataMessage, { type: 'poolLow' }>;

export interface SocketAttempts {
  /** True when it was met. */
  tried(asked: PoolLow): boolean;
  /** It will not be met. */
  refused(asked: PoolLow): void;
}

/** Then a worker learns that there are none, and asks again without haste. */
const WITHIN_MS = 4000;
const AGAIN_MS = 200;
/** More than a node has pods and families; a request beyond is refused at once. */
const MAX_LOOPS = 1024;

/** What is asked for one pod and family: the newest request of each worker. */
interface Loop {
  readonly asked: Map<number, PoolLow>;
  readonly untilMs: number;
}

export class SocketRetries {
  readonly #clock: Clock;
  readonly #attempts: SocketAttempts;
  readonly #loops = new Map<string, Loop>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, attempts: SocketAttempts) {
    this.#clock = clock;
    this.#attempts = attempts;
  }

  /** Tries at once where nothing was tried in vain a moment ago, and then until WITHIN_MS are over. */
  ask(asked: PoolLow): void {
    const key = `${asked.podUid}/${asked.family}`;
    const loop = this.#loops.get(key);
    if (loop) loop.asked.set(asked.worker, asked);
    else if (this.#attempts.tried(asked)) return;
    else if (this.#loops.size >= MAX_LOOPS) this.#attempts.refused(asked);
    else {
      const untilMs = this.#clock.monoMs() + WITHIN_MS;
      this.#loops.set(key, { asked: new Map([[asked.worker, asked]]), untilMs });
      this.#cancel ??= this.#clock.after(AGAIN_MS, () => this.#again());
    }
  }

  /** Nobody is told any more. */
  close(): void {
    this.#cancel?.();
    this.#loops.clear();
  }

  #again(): void {
    this.#cancel = undefined;
    for (const [key, loop] of this.#loops) {
      this.#tryAll(loop);
      if (loop.asked.size > 0 && this.#clock.monoMs() < loop.untilMs) continue;
      this.#loops.delete(key);
      for (const asked of loop.asked.values()) this.#attempts.refused(asked);
    }
    if (this.#loops.size > 0) this.#cancel = this.#clock.after(AGAIN_MS, () => this.#again());
  }

  /** Until one fails: the others would too. */
  #tryAll({ asked }: Loop): void {
    for (const [worker, request] of asked) {
      if (!this.#attempts.tried(request)) return;
      asked.delete(worker);
    }
  }
}
