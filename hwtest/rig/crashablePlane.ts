// A data plane of which a worker throws on SIGUSR2: the one that hears of it first and has begun to work. As
// a worker this file is its own script.
import { BroadcastChannel, isMainThread, parentPort } from 'node:worker_threads';
import type { ToWorker } from '#proxy/control.ts';
import { runDataPlane } from '#proxy/main.ts';

const channel = new BroadcastChannel('crash');

if (isMainThread) {
  channel.unref();
  runDataPlane(new URL(import.meta.url));
  process.on('SIGUSR2', () => channel.postMessage(new SharedArrayBuffer(4)));
} else {
  let hasBegun = false;
  parentPort?.on('message', (message: ToWorker) => {
    hasBegun ||= message.type === 'begin';
  });
  channel.onmessage = (event) => {
    const taken = new Int32Array(event.data as SharedArrayBuffer);
    if (hasBegun && Atomics.exchange(taken, 0, 1) === 0) throw new RangeError('told to crash');
  };
  await import('#proxy/worker.ts');
}
