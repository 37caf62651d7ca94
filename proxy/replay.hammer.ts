// A process with two threads that all try the same openings against an inherited replay set, for
// replay.test.ts. Each thread goes through the slots in order and through a slot from another place.
import { Buffer } from 'node:buffer';
import { parentPort, Worker, workerData, type MessagePort } from 'node:worker_threads';
import { u64 } from '#agent/base/bytes.ts';
import { ReplaySet, type Opening } from './replay.ts';

export const HAMMER = { slots: 12, perSlot: 5000, periodMs: 1000 } as const;
const FIRST_SLOT = 1_700_000_000;
const INHERITED_FD = 3;
const THREADS = 2;

/** Numbers of the openings for which this process was told `fresh`. */
export interface HammerReport {
  readonly fresh: readonly number[];
}

/** Opening number `n`, made in the middle of its slot. */
export function hammeredOpening(n: number): Opening {
  const slot = FIRST_SLOT + Math.floor(n / HAMMER.perSlot);
  return {
    kid: u64(slot),
    salt: Buffer.concat([u64(n), u64(n)]),
    source: u64(1),
    slot,
    periodMs: HAMMER.periodMs,
    nowMs: slot * HAMMER.periodMs + HAMMER.periodMs / 2,
  };
}

/** A process says `ready` with all threads waiting, `halfway` when one is, then reports. */
export type HammerMessage = 'ready' | 'halfway' | HammerReport;

function hammer(offset: number, say: (message: 'halfway' | number[]) => void): void {
  const set = ReplaySet.map(INHERITED_FD);
  const fresh: number[] = [];
  for (let slot = 0; slot < HAMMER.slots; slot += 1) {
    if (slot === HAMMER.slots / 2) say('halfway');
    for (let i = 0; i < HAMMER.perSlot; i += 1) {
      const n = slot * HAMMER.perSlot + ((i + offset) % HAMMER.perSlot);
      if (set.testAndSet(hammeredOpening(n)) === 'fresh') fresh.push(n);
    }
  }
  say(fresh);
}

function runThread(port: MessagePort, offset: number): void {
  const say = (message: unknown): void => port.postMessage(message, []);
  port.once('message', () => hammer(offset, say));
  say('ready');
}

function runProcess(tell: (message: HammerMessage) => void): void {
  const fresh: number[] = [];
  let waiting = 0;
  let ended = 0;
  const threads = Array.from(
    { length: THREADS },
    (_, offset) => new Worker(new URL(import.meta.url), { workerData: { offset } }),
  );
  for (const thread of threads) {
    thread.on('message', (message: 'ready' | 'halfway' | number[]) => {
      if (message === 'halfway') tell('halfway');
      else if (message === 'ready') waiting += 1;
      else {
        fresh.push(...message);
        ended += 1;
      }
      if (message === 'ready' && waiting === THREADS) tell('ready');
      if (ended === THREADS) tell({ fresh });
    });
  }
  process.once('message', () => {
    for (const thread of threads) thread.postMessage('go', []);
  });
}

const role = workerData as { readonly offset?: number } | null;
if (parentPort !== null && role?.offset !== undefined) runThread(parentPort, role.offset);
else if (import.meta.main) runProcess((message) => void process.send?.(message));
