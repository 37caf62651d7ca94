// The entry of a worker thread of the data plane: maps what its workerData names, says that it is
// ready and hands every message to its LaneWorker. Reads no file after that (proxy/main.ts).
import { randomFillSync } from 'node:crypto';
import { parentPort as main, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerInit } from './control.ts';
import { Counters } from './counters.ts';
import { descriptorRoom } from './descriptors.ts';
import { LaneWorker } from './laneWorker.ts';
import { originalDestination } from '#proxy/native/socket.ts';
import { RandomPool } from './randomPool.ts';
import { Reactor } from './reactor.ts';
import { ReplaySet } from './replay.ts';

const init = workerData as WorkerInit;
const { index, replayFd, countersFd, quotas, settings } = init;
const post = (message: FromWorker): void => main?.postMessage(message, []);

const random = new RandomPool(randomFillSync);
const reactor = new Reactor();
const worker = new LaneWorker({
  index,
  clock: reactor.clock,
  reactor,
  counters: Counters.map(countersFd).row(index),
  replay: ReplaySet.map(replayFd),
  quotas,
  descriptors: descriptorRoom(init.descriptorLimit, settings.workers),
  randomBytes: (length) => random.take(length),
  originalDestination,
  post,
});
main?.on('message', (message: ToWorker) => worker.handle(message));
post({ type: 'ready' });
reactor.run(init.bell);
