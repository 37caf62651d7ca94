// The entry of a worker thread of the data plane: maps what its workerData names, says that it is
// ready and hands every message to its LaneWorker. Reads no file after that (proxy/main.ts).
import { randomFillSync } from 'node:crypto';
import { parentPort as main, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerInit } from './control.ts';
import { Counters } from './counters.ts';
import { LaneWorker } from './laneWorker.ts';
import { originalDestination } from '#proxy/native/socket.ts';
import { RandomPool } from './randomPool.ts';
import { Reactor } from './reactor.ts';
import { ReplaySet } from './replay.ts';

const { index, replayFd, countersFd, bell } = workerData as WorkerInit;
const post = (message: FromWorker): void => main?.postMessage(message, []);

const random = new RandomPool(randomFillSync);
const reactor = new Reactor();
const worker = new LaneWorker({
  index,
  clock: reactor.clock,
  reactor,
  counters: Counters.map(countersFd).row(index),
  replay: ReplaySet.map(replayFd),
  randomBytes: (length) => random.take(length),
  originalDestination,
  post,
});
main?.on('message', (message: ToWorker) => worker.handle(message));
post({ type: 'ready' });
reactor.run(bell);
