// The worker threads of a data plane, started together and spoken to as one. A worker that dies takes
// the process with it: its connections are lost either way, and the control plane starts a new one.
import { Worker } from 'node:worker_threads';
import type { NodeName } from '#agent/base/brands.ts';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import {
  PLANE_FDS,
  type Family,
  type FromWorker,
  type ListenerRole,
  type PlaneSettings,
  type ToWorker,
  type WorkerInit,
} from './control.ts';
import { createEventfd, ring } from '#proxy/native/eventfd.ts';
import { dupFd } from '#proxy/native/fd.ts';
import { raiseDescriptorLimit } from '#proxy/native/process.ts';
import { quotaMemory } from './quota.ts';

/** What the workers say, with who says it; `ready` and single acks are dealt with here. */
export interface CrewReports {
  /** Every worker uses a snapshot of this version or a newer one. */
  acked(version: number): void;
  said(worker: number, message: Exclude<FromWorker, { type: 'ready' | 'ack' | 'drained' }>): void;
  /** No worker has a lane left. */
  drained(): void;
  died(error: TidelockError): void;
}

/** A worker thread, and what wakes it from its wait for sockets. */
interface Member {
  readonly worker: Worker;
  readonly bell: number;
}

export class Crew {
  readonly #workers: readonly Member[];
  readonly #acked: number[];
  readonly #drained = new Set<number>();
  readonly #reports: CrewReports;
  #ackedByAll = -1;

  private constructor(workers: readonly Member[], reports: CrewReports) {
    this.#workers = workers;
    this.#acked = workers.map(() => -1);
    this.#reports = reports;
    for (const [index, { worker }] of workers.entries()) {
      worker.on('message', (message: FromWorker) => this.#hear(index, message));
      worker.once('error', (error) => reports.died(workerDied(index, messageOf(error))));
      worker.once('exit', (code) => reports.died(workerDied(index, `exit code ${code}`)));
    }
  }

  /** Starts the workers of `settings`; resolves when all have loaded their modules. */
  static async start(script: URL, settings: PlaneSettings, reports: CrewReports): Promise<Crew> {
    const quotas = { pods: quotaMemory(settings.workers), peers: quotaMemory(settings.workers) };
    const descriptorLimit = raiseDescriptorLimit();
    const workers = Array.from({ length: settings.workers }, (_, index): Member => {
      const bell = createEventfd();
      const init: WorkerInit = {
        index,
        replayFd: PLANE_FDS.replay,
        countersFd: PLANE_FDS.counters,
        bell,
        quotas,
        descriptorLimit,
        settings,
      };
      return { worker: new Worker(script, { workerData: init, name: `lane-${index}` }), bell };
    });
    const ready = workers.map(
      ({ worker }) =>
        new Promise<void>((resolve) => {
          const wait = (message: FromWorker): void => {
            if (message.type !== 'ready') return;
            worker.off('message', wait);
            resolve();
          };
          worker.on('message', wait);
        }),
    );
    const crew = new Crew(workers, reports);
    await Promise.all(ready);
    return crew;
  }

  get size(): number {
    return this.#workers.length;
  }

  /** Another control plane takes over: it counts its snapshots anew. */
  succeeded(): void {
    this.#acked.fill(-1);
    this.#ackedByAll = -1;
    this.#tellAll({ type: 'succeeded' });
  }

  /** Gives each worker a copy of the frame, and wipes this one. */
  snapshot(frame: Uint8Array): void {
    for (const worker of this.#workers) {
      const own = new Uint8Array(frame);
      post(worker, { type: 'snapshot', frame: own }, [own.buffer]);
    }
    frame.fill(0);
  }

  /** Gives each worker a duplicate of the listening descriptor; the caller closes its own. */
  listen(role: ListenerRole, fd: number): void {
    for (const worker of this.#workers) {
      post(worker, { type: 'listen', role, fd: dupFd(fd) });
    }
  }

  unlisten(role: ListenerRole): void {
    this.#tellAll({ type: 'unlisten', role });
  }

  /** Hands the descriptors over to one worker. */
  sockets(worker: number, podUid: string, family: Family, fds: readonly number[]): void {
    this.tell(worker, { type: 'sockets', podUid, family, fds });
  }

  /** Asks any worker, each in its turn. */
  canary(id: number, peer: NodeName): void {
    this.tell(id % this.#workers.length, { type: 'canary', id, peer });
  }

  drain(deadlineMs: number): void {
    this.#tellAll({ type: 'drain', deadlineMs });
  }

  tell(worker: number, message: ToWorker): void {
    const addressee = this.#workers[worker];
    if (addressee !== undefined) post(addressee, message);
  }

  #tellAll(message: ToWorker): void {
    for (const worker of this.#workers) post(worker, message);
  }

  #hear(index: number, message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'ack':
        this.#ack(index, message.version);
        return;
      case 'drained':
        this.#drained.add(index);
        if (this.#drained.size === this.#workers.length) this.#reports.drained();
        return;
      case 'poolLow':
      case 'event':
      case 'verify':
      case 'lanes':
      case 'canary':
        this.#reports.said(index, message);
    }
  }

  #ack(index: number, version: number): void {
    this.#acked[index] = version;
    const all = Math.min(...this.#acked);
    if (all <= this.#ackedByAll) return;
    this.#ackedByAll = all;
    this.#reports.acked(all);
  }
}

function post(
  { worker, bell }: Member,
  message: ToWorker,
  transfer: readonly ArrayBuffer[] = [],
): void {
  worker.postMessage(message, transfer);
  ring(bell);
}

const workerDied = (index: number, state: string): TidelockError =>
  new TidelockError('DATA_PLANE_FAILED', {
    op: 'plane.worker',
    message: `Cannot go on without worker ${index}: ${state}`,
    hint: 'This is a defect in tidelock; the data plane starts anew. Please report it with the log.',
  });
