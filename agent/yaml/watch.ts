// Watching files that people or Kubernetes replace. A change is only ever a reason to read again: a
// missed event is made good by the next look, which comes at fixed intervals whatever the kernel says.
import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '#agent/base/clock.ts';

export interface WatchInit {
  /** Files or directories; the directory that each stands in is watched, so that renames are seen. */
  readonly paths: readonly string[];
  readonly clock: Clock;
  /** Called one at a time; it reads, compares and must not throw. */
  readonly look: () => Promise<void>;
}

const SETTLE_MS = 100;
const LOOK_EVERY_MS = 5_000;

/** Calls `look` soon after something changed near the paths, and every 5 s anyway, until disposed. */
export function watchFiles({ paths, clock, look }: WatchInit): Disposable {
  const closed = new AbortController();
  let looking = false;
  let lookAgain = false;
  let cancelSettle: (() => void) | undefined;
  let cancelNext = clock.after(LOOK_EVERY_MS, tick);

  async function lookOnce(): Promise<void> {
    if (looking) {
      lookAgain = true;
      return;
    }
    looking = true;
    await look();
    looking = false;
    if (!lookAgain || closed.signal.aborted) return;
    lookAgain = false;
    await lookOnce();
  }
  function tick(): void {
    cancelNext = clock.after(LOOK_EVERY_MS, tick);
    void lookOnce();
  }
  function changed(): void {
    cancelSettle?.();
    cancelSettle = clock.after(SETTLE_MS, () => void lookOnce());
  }

  const directories = new Set(paths.flatMap((path) => [path, dirname(path)]));
  const watchers = [...directories].flatMap((directory) => watchDirectory(directory, changed));
  return {
    [Symbol.dispose]: () => {
      closed.abort();
      cancelNext();
      cancelSettle?.();
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** None when the directory is missing or inotify's limit is reached: then the fixed interval serves. */
function watchDirectory(directory: string, changed: () => void): FSWatcher[] {
  try {
    const watcher = watch(directory, { persistent: false }, changed);
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch {
    return [];
  }
}
