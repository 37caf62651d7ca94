// Tests of watching files: nothing is missed when the kernel says nothing, and looks never overlap.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '#agent/base/clock.ts';
import { watchFiles } from './watch.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-watch-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** A clock whose timers fire when the test says so. */
function manualClock() {
  const timers = new Set<() => void>();
  const clock: Clock = {
    wallMs: () => 0,
    monoMs: () => 0,
    after: (_ms, callback) => {
      timers.add(callback);
      return () => timers.delete(callback);
    },
  };
  const fire = (): void => {
    const due = [...timers];
    timers.clear();
    for (const timer of due) timer();
  };
  return { clock, fire, pending: () => timers.size };
}

describe('watchFiles()', () => {
  it('watchFiles() looks when a file that did not exist appears', async () => {
    const seen = Promise.withResolvers<void>();
    const file = join(dir, 'later.yaml');
    const look = async (): Promise<void> => seen.resolve();
    using _watching = watchFiles({ paths: [file], clock: systemClock, look });
    await writeFile(file, 'a: 1');
    await seen.promise;
  });

  it('watchFiles() looks at intervals where nothing can be watched', () => {
    const { clock, fire } = manualClock();
    let looks = 0;
    const look = async (): Promise<void> => void (looks += 1);
    const paths = [join(dir, 'no', 'such', 'directory', 'file')];
    using _watching = watchFiles({ paths, clock, look });
    fire();
    expect(looks).toBe(1);
  });

  it('watchFiles() never looks twice at once, and looks again for what came meanwhile', async () => {
    const { clock, fire } = manualClock();
    const gates: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const look = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => gates.push(resolve));
      running -= 1;
    };
    using _watching = watchFiles({ paths: [join(dir, 'no', 'x')], clock, look });
    fire();
    fire();
    fire();
    expect(gates).toHaveLength(1);
    gates[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(gates).toHaveLength(2);
    expect(most).toBe(1);
  });

  it('watchFiles() leaves no timer behind', () => {
    const { clock, pending } = manualClock();
    const watching = watchFiles({ paths: [dir], clock, look: () => Promise.resolve() });
    expect(pending()).toBe(1);
    watching[Symbol.dispose]();
    expect(pending()).toBe(0);
  });
});
