// A value read from files that may change while the agent runs: the last good one is kept, a broken
// file is reported once and changes nothing.
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError, type TidelockError } from '#agent/base/errors.ts';
import { canonical, type Json } from '#agent/base/jcs.ts';
import { watchFiles } from './watch.ts';

export interface Live<T> {
  /** The last good value. */
  value(): T;
  /** Why the newest state of the files is not in use, if so. */
  problem(): TidelockError | undefined;
  /** Calls back after each change; the returned function ends it. */
  onChange(callback: (value: T) => void): () => void;
  close(): void;
}

export interface LiveInit<T> {
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Errors: TidelockError for content that cannot be used. */
  readonly read: () => Promise<T>;
  /** What two values are compared by. */
  readonly essence: (value: T) => Json;
  /** Told of each new problem, and with undefined when it is over. */
  readonly report: (problem: TidelockError | undefined) => void;
}

/** Reads once, then keeps up. Errors: those of the first `read`. */
export async function openLive<T>(init: LiveInit<T>): Promise<Live<T>> {
  let value: T = await init.read();
  let essence = canonical(init.essence(value));
  let problem: TidelockError | undefined;
  let closed = false;
  const callbacks = new Set<(value: T) => void>();

  const settle = (next: TidelockError | undefined): void => {
    if (next?.message === problem?.message) return;
    problem = next;
    init.report(next);
  };
  const look = async (): Promise<void> => {
    let next: T;
    try {
      next = await init.read();
    } catch (thrown) {
      if (!closed) settle(asTidelockError(thrown, 'file.reload'));
      return;
    }
    if (closed) return;
    settle(undefined);
    const nextEssence = canonical(init.essence(next));
    if (nextEssence === essence) return;
    value = next;
    essence = nextEssence;
    for (const callback of callbacks) callback(value);
  };

  const watching = watchFiles({ paths: init.paths, clock: init.clock, look });
  return {
    value: () => value,
    problem: () => problem,
    onChange: (callback) => {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    close: () => {
      closed = true;
      callbacks.clear();
      watching[Symbol.dispose]();
    },
  };
}
