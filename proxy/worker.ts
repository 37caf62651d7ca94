// The entry of a worker thread of the data plane: says that its modules are loaded, waits until it is told
// which worker it is, and hands every later message to its LaneWorker. Reads no file after that
// (proxy/main.ts).
import { randomFillSync } from 'node:crypto';
import { parentPort as main, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerInit } from './control.ts';
import { Counters } from './counters.ts';
import { descriptorRoom } from './descriptors.ts';
import { HeldBytes } from './heldBytes.ts';
import { LaneWorker } from './laneWorker.ts';
import { Ledger } from './ledger.ts';
import { originalDestination } from '#proxy/native/socket.ts';
import { RandomPool } from './randomPool.ts';
import { Reactor } from './reactor.ts';
import { ReplaySet } from './replay.ts';

/** At thousands of connections a second one message carries some ten of the accounts that pass the gate. */
const HOLD_EVENTS_MS = 50;

const init = workerData as WorkerInit;
const random = new RandomPool(randomFillSync);
const post = (message: FromWorker): void => main?.postMessage(message, []);
let worker: LaneWorker | undefined;

function begin(index: number): LaneWorker {
  const reactor = new Reactor(new Ledger(init.ledger, index), new HeldBytes(init.held, index));
  setImmediate(() => reactor.run(init.bell));
  return new LaneWorker({
    index,
    clock: reactor.clock,
    reactor,
    counters: Counters.map(init.countersFd).row(index),
    replay: ReplaySet.map(init.replayFd),
    quotas: init.quotas,
    descriptors: descriptorRoom(init.descriptorLimit, init.settings.workers),
    randomBytes: (length) => random.take(length),
    originalDestination,
    holdEventsMs: HOLD_EVENTS_MS,
    post,
  });
}

main?.on('message', (message: ToWorker) => {
  if (message.type === 'begin') worker = begin(message.index);
  else worker?.handle(message);
});
post({ type: 'ready' });
