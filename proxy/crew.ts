// The worker threads of a data plane, started together and spoken to as one, and a spare one that stands
// by: none can be started later (privilege.ts). A worker that ends takes its own connections along, which
// are closed here; the spare takes its place once it knows what the others know. The last one to end takes
// the process with it, and the control plane starts a new one.
import { Worker } from 'node:worker_threads';
import type { NodeName } from '#agent/base/brands.ts';
import { TidelockError, messageOf } from '#agent/base/errors.ts';
import {
  PLANE_FDS,
  type DataMessage,
  type Family,
  type FromWorker,
  type ListenerRole,
  type PlaneSettings,
  type SharedQuotas,
  type ToWorker,
  type WorkerInit,
} from './control.ts';
import { clearHeld, heldMemory } from './heldBytes.ts';
import { Ledger, ledgerMemory } from './ledger.ts';
import { createEventfd, ring } from '#proxy/native/eventfd.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { raiseDescriptorLimit } from '#proxy/native/process.ts';
import { clearLanes, quotaMemory } from './quota.ts';

/**
 * Half of V8's default: what lives as short as a lane's buffers fills whatever room it is given, which after
 * a burst of connections was most of a worker's memory. Collecting more often costs lanes nothing that shows.
 */
const WORKER_MEMORY = { maxYoungGenerationSizeMb: 24 } as const;

/** What the workers say, with who says it; `ready` and single acks are dealt with here. */
export interface CrewReports {
  /** Every worker uses a snapshot of this version or a newer one. */
  acked(version: number): void;
  said(worker: number, message: Exclude<FromWorker, { type: 'ready' | 'ack' | 'drained' }>): void;
  /** One has ended, others work on. */
  lost(message: Extract<DataMessage, { type: 'workerLost' }>): void;
  /** No worker has a lane left. */
  drained(): void;
  /** None is left. */
  died(error: TidelockError): void;
  /** What a worker that begins late is to accept on. */
  listeners(): readonly { readonly role: ListenerRole; readonly fd: number }[];
}

/** A worker thread, and what wakes it from its wait for sockets. */
interface Member {
  readonly worker: Worker;
  readonly bell: number;
}

/** Threads that stand by: each takes memory, and what ends one by a defect seldom ends the next at once. */
const SPARES = 1;

export class Crew {
  /** By number; undefined where one has ended and no spare was left. */
  readonly #members: (Member | undefined)[];
  readonly #spares: Member[];
  readonly #ledger: SharedArrayBuffer;
  readonly #quotas: SharedQuotas;
  readonly #held: SharedArrayBuffer;
  /** Which have begun late and wait for a snapshot before they accept. */
  readonly #late = new Set<number>();
  readonly #acked: number[];
  readonly #drained = new Set<number>();
  readonly #reports: CrewReports;
  #ackedByAll = -1;
  #hasBegun = false;
  #isDraining = false;
  /** The others know one: who begins late is not to accept before it does. */
  #hasSnapshot = false;

  private constructor(
    members: readonly Member[],
    spares: readonly Member[],
    { ledger, quotas, held }: Pick<WorkerInit, 'ledger' | 'quotas' | 'held'>,
    reports: CrewReports,
  ) {
    this.#members = [...members];
    this.#spares = [...spares];
    this.#ledger = ledger;
    this.#quotas = quotas;
    this.#held = held;
    this.#acked = members.map(() => -1);
    this.#reports = reports;
    for (const member of [...members, ...spares]) this.#follow(member);
  }

  /** Starts the workers of `settings`; resolves when all have loaded their modules. */
  static async start(script: URL, settings: PlaneSettings, reports: CrewReports): Promise<Crew> {
    const { workers } = settings;
    const descriptorLimit = raiseDescriptorLimit();
    const shared = {
      replayFd: PLANE_FDS.replay,
      countersFd: PLANE_FDS.counters,
      quotas: {
        pods: quotaMemory(workers),
        podsCalled: quotaMemory(workers),
        peers: quotaMemory(workers),
      },
      held: heldMemory(workers),
      ledger: ledgerMemory(descriptorLimit),
      descriptorLimit,
      settings,
    };
    const members = Array.from({ length: workers + SPARES }, (_, index): Member => {
      const bell = createEventfd();
      const init: WorkerInit = { ...shared, bell };
      const options = { workerData: init, name: `lane-${index}`, resourceLimits: WORKER_MEMORY };
      return { worker: new Worker(script, options), bell };
    });
    const ready = members.map(
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
    const working = members.slice(0, workers);
    const crew = new Crew(working, members.slice(workers), shared, reports);
    await Promise.all(ready);
    for (const [index, member] of working.entries()) post(member, { type: 'begin', index });
    crew.#hasBegun = true;
    return crew;
  }

  /** How many work. */
  get working(): number {
    return this.#members.filter((member) => member !== undefined).length;
  }

  get spares(): number {
    return this.#spares.length;
  }

  /** Another control plane takes over: it counts its snapshots anew. */
  succeeded(): void {
    for (const index of this.#acked.keys())
      this.#acked[index] = this.#members[index] ? -1 : Infinity;
    this.#ackedByAll = -1;
    this.#tellAll({ type: 'succeeded' });
  }

  /** Gives each worker a copy of the frame, and wipes this one. */
  snapshot(frame: Uint8Array): void {
    for (const member of this.#members) {
      if (!member) continue;
      const own = new Uint8Array(frame);
      post(member, { type: 'snapshot', frame: own }, [own.buffer]);
    }
    frame.fill(0);
    this.#hasSnapshot = true;
    for (const index of this.#late) this.#listenOn(index);
    this.#late.clear();
  }

  /** Gives each worker a duplicate of the listening descriptor; the caller closes its own. */
  listen(role: ListenerRole, fd: number): void {
    for (const [index, member] of this.#members.entries()) {
      if (member && !this.#late.has(index)) post(member, { type: 'listen', role, fd: dupFd(fd) });
    }
  }

  unlisten(role: ListenerRole): void {
    this.#tellAll({ type: 'unlisten', role });
  }

  /** Hands the descriptors over to one worker. */
  sockets(worker: number, podUid: string, family: Family, fds: readonly number[]): void {
    const member = this.#members[worker];
    if (member) post(member, { type: 'sockets', podUid, family, fds });
    else fds.forEach(closeFd);
  }

  /** Asks a worker for its live connections; one that has ended has none. */
  lanes(worker: number, id: number, after: number): void {
    if (this.#members[worker]) this.tell(worker, { type: 'lanes', id, after });
    else this.#reports.said(worker, { type: 'lanes', id, lanes: [], live: 0 });
  }

  /** Asks any worker, each in its turn. */
  canary(id: number, peer: NodeName): void {
    const working = this.#members.flatMap((member, index) =>
      member && !this.#late.has(index) ? member : [],
    );
    const member = working[id % working.length];
    if (member) post(member, { type: 'canary', id, peer });
  }

  drain(deadlineMs: number): void {
    this.#isDraining = true;
    this.#tellAll({ type: 'drain', deadlineMs });
  }

  tell(worker: number, message: ToWorker): void {
    const member = this.#members[worker];
    if (member) post(member, message);
  }

  #listenOn(index: number): void {
    for (const { role, fd } of this.#reports.listeners()) {
      this.tell(index, { type: 'listen', role, fd: dupFd(fd) });
    }
  }

  #tellAll(message: ToWorker): void {
    for (const member of this.#members) if (member) post(member, message);
  }

  #follow(member: Member): void {
    const { worker } = member;
    let why = '';
    worker.on('message', (message: FromWorker) =>
      this.#hear(this.#members.indexOf(member), message),
    );
    worker.once('error', (error) => {
      why = messageOf(error);
    });
    worker.once('exit', (code) => this.#lose(member, why || `exit code ${code}`));
  }

  #lose(member: Member, why: string): void {
    const index = this.#members.indexOf(member);
    if (!this.#hasBegun) {
      this.#reports.died(workerDied(index, why));
      return;
    }
    if (index < 0) {
      this.#spares.splice(this.#spares.indexOf(member), 1);
      return;
    }
    new Ledger(this.#ledger, index).clear();
    const { pods, podsCalled, peers } = this.#quotas;
    for (const memory of [pods, podsCalled, peers]) clearLanes(memory, index);
    clearHeld(this.#held, index);
    const spare = this.#isDraining ? undefined : this.#spares.pop();
    this.#members[index] = spare;
    this.#acked[index] = spare ? -1 : Infinity;
    this.#late.delete(index);
    const { working } = this;
    if (working === 0) {
      this.#reports.died(workerDied(index, why));
      return;
    }
    if (spare) {
      post(spare, { type: 'begin', index });
      if (this.#hasSnapshot) this.#late.add(index);
      else this.#listenOn(index);
    } else if (this.#isDraining) this.#haveDrained(index);
    this.#reports.lost({
      type: 'workerLost',
      worker: index,
      why: why.slice(0, 200),
      working,
      spares: this.spares,
    });
  }

  #hear(index: number, message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        return;
      case 'ack':
        this.#ack(index, message.version);
        return;
      case 'drained':
        this.#haveDrained(index);
        return;
      case 'poolLow':
      case 'whereIs':
      case 'using':
      case 'events':
      case 'verify':
      case 'lanes':
      case 'canary':
        this.#reports.said(index, message);
    }
  }

  #haveDrained(index: number): void {
    this.#drained.add(index);
    if (this.#members.every((member, each) => !member || this.#drained.has(each))) {
      this.#reports.drained();
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
