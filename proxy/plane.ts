// The control plane's side of the data plane: keeps one process running, feeds each anew with what it
// must know, and counts its ends. It starts with the one that its own predecessor left, if any.
// Listening sockets stay open here, so that connections wait and are not refused while none runs.
import type { NodeName } from '#agent/base/brands.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import { roleKey, type ListenerRole } from './control.ts';
import { settledAfterMs } from './inheritance.ts';
import { listLanes, type LaneList } from './laneList.ts';
import { setNonBlocking } from '#proxy/native/fd.ts';
import { setNoNewPrivileges } from '#proxy/native/process.ts';
import { adoptPlane, spawnPlane, type PlaneProcess, type SpawnOptions } from './planeProcess.ts';
import { PlaneRun, type PlaneRunOptions } from './planeRun.ts';
import type { Predecessor } from './predecessor.ts';
import type { ProcessIdentity } from './processIdentity.ts';
import { Reach } from './reach.ts';
import { retire, RETIRE_WITHIN_MS, retiredBefore, type Retired } from './retirement.ts';
import type { Snapshot } from './snapshot.ts';

export interface DataPlaneOptions extends PlaneRunOptions, SpawnOptions {
  /** One that runs already (predecessor.ts), to go on with or to send into retirement. */
  readonly predecessor?: Predecessor | undefined;
  /** Uniform in [0, 1), for the jitter of restarts. */
  readonly random: () => number;
}

export interface DataPlaneStatus {
  readonly state: 'starting' | 'running' | 'waiting' | 'closed';
  /** 0 while none runs. */
  readonly pid: number;
  readonly uid: number;
  readonly workers: number;
  /** Threads that work now, and those that stand by for one that ends. */
  readonly working: number;
  readonly spares: number;
  /** Connections alive, by worker. */
  readonly lanesByWorker: readonly number[];
  readonly restarts: number;
  /** Version of the snapshot that every worker uses; -1 before the first. */
  readonly ackedVersion: number;
  /**
   * Whether every data plane that is told snapshots heeds Snapshot.asks; false: one is of a version that does
   * not, and is to be told of all nodes.
   */
  readonly canAsk: boolean;
  /** Peers that lanes can be opened to by that snapshot. */
  readonly reaches: ReadonlySet<NodeName>;
  /** Asymmetric operations of data planes since the agent started. */
  readonly asymmetric: { readonly total: number; readonly tokens: number };
}

/** Live connections of the data plane that serves. */
export interface PlaneLanes extends LaneList {
  /** Data planes that only drain, and carry connections that are not listed. */
  readonly draining: number;
}

/** How a canary went: how long it took there and back, or one clause on why it did not come back. */
export type CanaryOutcome = { readonly tookMs: number } | { readonly failed: string };

export interface DataPlane {
  /** Replaces what workers know. Kept until the next one, for a data plane that starts anew. */
  publish(snapshot: Snapshot): void;
  /** Serves a listening socket; the descriptor stays the caller's and open until unlisten. */
  listen(role: ListenerRole, fd: number): void;
  unlisten(role: ListenerRole): void;
  /** Every listener has been served: what a predecessor served besides is closed. */
  listenersNamed(): void;
  status(): DataPlaneStatus;
  /** Live connections, at most `max`; undefined while no data plane runs. */
  lanes(max: number): Promise<PlaneLanes | undefined>;
  /** Opens a lane to the agent of `peer` and sends a few bytes there and back (canary.ts). */
  canary(peer: NodeName): Promise<CanaryOutcome>;
  /** Ends the process: at once, or when its lanes have ended but after `drainMs` at the latest. */
  close(drainMs?: number): Promise<void>;
}

/** Before the second restart of a series; the first is at once. */
const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 30_000;
/** A data plane that ran this long was well; its end is not part of a series. */
const WELL_AFTER_MS = 3000;

/** Long connections outlive an upgrade; what is left after so long is cut. */
const LEAVE_WITHIN_MS = 3_600_000;

/** Keeps a data plane running until closed: the predecessor, or one that it starts. Needs root. */
export function startDataPlane(options: DataPlaneOptions): DataPlane {
  // On this thread, so that every thread of the child has it from its first instruction on.
  setNoNewPrivileges();
  const plane = new Supervisor(options);
  plane.seeOff();
  plane.start(options.predecessor);
  return plane;
}

class Supervisor implements DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #listeners = new Map<string, { readonly role: ListenerRole; readonly fd: number }>();
  #snapshot: Snapshot | undefined;
  readonly #reach = new Reach();
  #run: PlaneRun | undefined;
  /** The one that serves, where it is of another build: it serves until the cluster knows this control plane. */
  #foreign: ProcessIdentity | undefined;
  /** Of this build, on its way to replace the foreign one. */
  #next: PlaneRun | undefined;
  #cancelNext: (() => void) | undefined;
  /** Was replaced: drains, and is told all that it needs for as long as its lanes last. */
  #leaving: PlaneRun | undefined;
  /** Data planes that only drain, and are told nothing. */
  readonly #retired = new Set<Retired>();
  #cancelRestart: (() => void) | undefined;
  #closed = false;
  #areNamed = false;
  #restarts = 0;
  #failures = 0;
  #past = { total: 0, tokens: 0 };

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  /** Those that an earlier control plane sent into retirement. */
  seeOff(): void {
    for (const plane of this.#options.record.planes()) {
      if (plane.endBy !== undefined) this.#keepRetired(retiredBefore(plane, this.#options));
    }
  }

  start(predecessor?: Predecessor): void {
    const { settings, log } = this.#options;
    this.#cancelRestart = undefined;
    try {
      const process = this.#process(predecessor);
      this.#run = this.#follow(process, this.#foreign ? predecessor?.settings : settings);
    } catch (error) {
      this.#failures += 1;
      log('error', 'plane.spawn', { error: asTidelockError(error, 'plane.spawn').toJSON() });
      this.#restartLater('could not be started');
    }
  }

  #process(predecessor: Predecessor | undefined): PlaneProcess {
    const { clock, record } = this.#options;
    if (predecessor === undefined) return spawnPlane(this.#options);
    const process = adoptPlane(predecessor, clock);
    if (predecessor.memory !== undefined) {
      if (!predecessor.fits) this.#foreign = predecessor.identity;
      return process;
    }
    this.#keepRetired(retire(process, this.#options));
    record.retire(predecessor.identity, clock.wallMs() + RETIRE_WITHIN_MS);
    return spawnPlane(this.#options);
  }

  #follow(process: PlaneProcess, settings = this.#options.settings): PlaneRun {
    const { clock } = this.#options;
    let runningSinceMs = Infinity;
    return new PlaneRun(
      process,
      { ...this.#options, settings },
      {
        running: (run) => {
          runningSinceMs = clock.monoMs();
          this.#feed(run);
          if (run === this.#next) this.#replace(run);
        },
        workerLost: (run) => this.#tell(run),
        ended: (run, why) => {
          this.#past = sumOf(this.#past, run.asymmetric);
          this.#lost(run, why, clock.monoMs() - runningSinceMs > WELL_AFTER_MS);
        },
      },
    );
  }

  #lost(run: PlaneRun, why: string, wasWell: boolean): void {
    const { counters, log } = this.#options;
    if (run === this.#leaving) {
      this.#leaving = undefined;
      counters.earlierEnded();
      this.#keepFromWaiting();
      log('info', 'plane.retired', { pid: run.pid });
    } else if (run === this.#next) {
      this.#next = undefined;
      if (this.#closed) return;
      log('error', 'plane.ended', { code: 'DATA_PLANE_FAILED', why, restartInMs: BACKOFF_MAX_MS });
      this.#startNextLater(BACKOFF_MAX_MS);
    } else {
      if (this.#foreign) counters.earlierEnded();
      this.#foreign = undefined;
      [this.#run, this.#next] = [this.#next, undefined];
      if (this.#closed || this.#run) return;
      this.#failures = wasWell ? 1 : this.#failures + 1;
      this.#restartLater(why);
    }
  }

  /**
   * Starts a data plane of this build beside one of another, when peers know this control plane so well
   * that no worker leans any longer on what it was told by the one before (Inheritance).
   */
  #startNext(): void {
    const { log } = this.#options;
    if (this.#closed || this.#foreign === undefined) return;
    try {
      this.#next = this.#follow(spawnPlane(this.#options));
    } catch (error) {
      log('error', 'plane.spawn', { error: asTidelockError(error, 'plane.spawn').toJSON() });
      this.#startNextLater(BACKOFF_MAX_MS);
    }
  }

  #startNextLater(delayMs: number): void {
    this.#cancelNext = this.#options.clock.after(delayMs, () => this.#startNext());
  }

  /** From now on `next` accepts; the one before has only the lanes that it has. */
  #replace(next: PlaneRun): void {
    const { clock, log, record } = this.#options;
    const [before, identity] = [this.#run, this.#foreign];
    this.#run = next;
    this.#next = undefined;
    this.#foreign = undefined;
    if (before === undefined || identity === undefined) return;
    this.#leaving = before;
    record.retire(identity, clock.wallMs() + LEAVE_WITHIN_MS);
    log('info', 'plane.retiring', { pid: before.pid, withinMs: LEAVE_WITHIN_MS });
    void before.close(LEAVE_WITHIN_MS);
  }

  #keepRetired(retired: Retired): void {
    this.#retired.add(retired);
    void retired.ended.then(() => {
      this.#retired.delete(retired);
      this.#keepFromWaiting();
    });
  }

  /** Whoever holds one of the listeners could have made accept(2) wait for all others. */
  #keepFromWaiting(): void {
    for (const { fd } of this.#listeners.values()) setNonBlocking(fd);
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#reach.tell(snapshot, this.#acked);
    for (const run of [this.#run, this.#leaving]) if (run?.isRunning) this.#tell(run);
    const isKnown = snapshot.self.trusted && snapshot.chains.length > 0;
    if (this.#foreign && isKnown && this.#cancelNext === undefined) {
      this.#startNextLater(settledAfterMs(snapshot));
    }
  }

  listen(role: ListenerRole, fd: number): void {
    this.#listeners.set(roleKey(role), { role, fd });
    if (this.#run?.isRunning) this.#run.sendListener(role, fd);
  }

  unlisten(role: ListenerRole): void {
    if (!this.#listeners.delete(roleKey(role))) return;
    if (this.#run?.isRunning) this.#run.send({ type: 'unlisten', role });
  }

  listenersNamed(): void {
    this.#areNamed = true;
    if (this.#run?.isRunning) this.#run.send({ type: 'listenersNamed' });
  }

  status(): DataPlaneStatus {
    const run = this.#run;
    const { uid, workers } = this.#options.settings;
    return {
      state: this.#closed ? 'closed' : run === undefined ? 'waiting' : run.state,
      pid: run?.pid ?? 0,
      uid,
      workers,
      working: run?.crew.working ?? 0,
      spares: run?.crew.spares ?? 0,
      lanesByWorker: this.#options.counters.byWorker('active', workers),
      restarts: this.#restarts,
      ackedVersion: this.#acked,
      canAsk: [run, this.#leaving].every((each) => each?.isRunning !== true || each.canAsk),
      reaches: this.#reach.nodes(this.#acked),
      asymmetric: [run, this.#next, this.#leaving].reduce(
        (sum, each) => sumOf(sum, each?.asymmetric),
        this.#past,
      ),
    };
  }

  get #acked(): number {
    return this.#run?.ackedVersion ?? -1;
  }

  async lanes(max: number): Promise<PlaneLanes | undefined> {
    const run = this.#run;
    if (!run?.isRunning) return undefined;
    const list = await listLanes((worker, after) => run.lanePage(worker, after), run.workers, max);
    return { ...list, draining: this.#retired.size + (this.#leaving ? 1 : 0) };
  }

  async canary(peer: NodeName): Promise<CanaryOutcome> {
    if (!this.#run?.isRunning) return { failed: 'no data plane runs' };
    const answer = await this.#run.canary(peer);
    if (answer === undefined) return { failed: 'the data plane does not answer' };
    return answer.failed === undefined ? { tookMs: answer.tookMs } : { failed: answer.failed };
  }

  async close(drainMs = 0): Promise<void> {
    this.#closed = true;
    this.#cancelRestart?.();
    this.#cancelNext?.();
    const runs = [this.#run, this.#next, this.#leaving, ...this.#retired];
    await Promise.all(runs.map(async (each) => each?.close(drainMs)));
  }

  #tell(run: PlaneRun): void {
    if (this.#snapshot !== undefined) run.sendSnapshot(this.#snapshot);
  }

  /** Snapshot before listeners: no connection is accepted by a worker that does not know its pod. */
  #feed(run: PlaneRun): void {
    this.#tell(run);
    this.#keepFromWaiting(); // after what the process before this one may have done
    for (const { role, fd } of this.#listeners.values()) run.sendListener(role, fd);
    if (this.#areNamed) run.send({ type: 'listenersNamed' });
  }

  #restartLater(why: string): void {
    const { clock, random, log } = this.#options;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.#failures - 2));
    const delayMs = this.#failures === 1 ? 0 : Math.round(ceiling * (0.5 + random() / 2));
    log('error', 'plane.ended', { code: 'DATA_PLANE_FAILED', why, restartInMs: delayMs });
    this.#cancelRestart = clock.after(delayMs, () => {
      this.#restarts += 1;
      this.start();
    });
  }
}

type Asymmetric = DataPlaneStatus['asymmetric'];

const sumOf = (a: Asymmetric, b: Asymmetric = { total: 0, tokens: 0 }): Asymmetric => ({
  total: a.total + b.total,
  tokens: a.tokens + b.tokens,
});
