// The control plane's side of the data plane: keeps one process running, feeds each anew with what it
// must know, and counts its ends. Listening sockets stay open here, so that connections wait and are
// not refused while none runs.
import { asTidelockError } from '#agent/base/errors.ts';
import { roleKey, type ListenerRole } from './control.ts';
import { setNoNewPrivileges } from '#proxy/native/process.ts';
import { PlaneRun, type PlaneRunOptions } from './planeRun.ts';
import type { Snapshot } from './snapshot.ts';

export interface DataPlaneOptions extends PlaneRunOptions {
  /** Uniform in [0, 1), for the jitter of restarts. */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

export interface DataPlaneStatus {
  readonly state: 'starting' | 'running' | 'waiting' | 'closed';
  /** 0 while none runs. */
  readonly pid: number;
  readonly uid: number;
  readonly workers: number;
  readonly restarts: number;
  /** Version of the snapshot that every worker uses; -1 before the first. */
  readonly ackedVersion: number;
  /** Asymmetric operations of data planes since the agent started. */
  readonly asymmetric: { readonly total: number; readonly tokens: number };
}

export interface DataPlane {
  /** Replaces what workers know. Kept until the next one, for a data plane that starts anew. */
  publish(snapshot: Snapshot): void;
  /** Serves a listening socket; the descriptor stays the caller's and open until unlisten. */
  listen(role: ListenerRole, fd: number): void;
  unlisten(role: ListenerRole): void;
  status(): DataPlaneStatus;
  /** Ends the process: at once, or when its lanes have ended but after `drainMs` at the latest. */
  close(drainMs?: number): Promise<void>;
}

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 30_000;
/** A data plane that ran this long was well; its end is not part of a series. */
const WELL_AFTER_MS = 60_000;

/** Starts a data plane and keeps one running until closed or aborted. Needs root. */
export function startDataPlane(options: DataPlaneOptions): DataPlane {
  // On this thread, so that every thread of the child has it from its first instruction on.
  setNoNewPrivileges();
  const plane = new Supervisor(options);
  plane.start();
  options.signal.addEventListener('abort', () => void plane.close(), { once: true });
  return plane;
}

class Supervisor implements DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #listeners = new Map<string, { readonly role: ListenerRole; readonly fd: number }>();
  #snapshot: Snapshot | undefined;
  #run: PlaneRun | undefined;
  #cancelRestart: (() => void) | undefined;
  #closed = false;
  #restarts = 0;
  #failures = 0;
  #past = { total: 0, tokens: 0 };

  constructor(options: DataPlaneOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, log } = this.#options;
    const startedMs = clock.monoMs();
    this.#cancelRestart = undefined;
    try {
      this.#run = new PlaneRun(this.#options, {
        running: (run) => this.#feed(run),
        ended: (run, why) => {
          this.#run = undefined;
          this.#past = {
            total: this.#past.total + run.asymmetric.total,
            tokens: this.#past.tokens + run.asymmetric.tokens,
          };
          if (this.#closed) return;
          this.#failures = clock.monoMs() - startedMs > WELL_AFTER_MS ? 1 : this.#failures + 1;
          this.#restartLater(why);
        },
      });
    } catch (error) {
      this.#failures += 1;
      log('error', 'plane.spawn', { error: asTidelockError(error, 'plane.spawn').toJSON() });
      this.#restartLater('could not be started');
    }
  }

  publish(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    if (this.#run?.isRunning) this.#run.send({ type: 'snapshot', snapshot });
  }

  listen(role: ListenerRole, fd: number): void {
    this.#listeners.set(roleKey(role), { role, fd });
    if (this.#run?.isRunning) this.#run.sendListener(role, fd);
  }

  unlisten(role: ListenerRole): void {
    if (!this.#listeners.delete(roleKey(role))) return;
    if (this.#run?.isRunning) this.#run.send({ type: 'unlisten', role });
  }

  status(): DataPlaneStatus {
    const run = this.#run;
    const counts = run?.asymmetric ?? { total: 0, tokens: 0 };
    const { uid, workers } = this.#options.settings;
    return {
      state: this.#closed ? 'closed' : run === undefined ? 'waiting' : run.state,
      pid: run?.pid ?? 0,
      uid,
      workers,
      restarts: this.#restarts,
      ackedVersion: run?.ackedVersion ?? -1,
      asymmetric: {
        total: this.#past.total + counts.total,
        tokens: this.#past.tokens + counts.tokens,
      },
    };
  }

  async close(drainMs = 0): Promise<void> {
    this.#closed = true;
    this.#cancelRestart?.();
    await this.#run?.close(drainMs);
  }

  /** Snapshot before listeners: no connection is accepted by a worker that does not know its pod. */
  #feed(run: PlaneRun): void {
    if (this.#snapshot !== undefined) run.send({ type: 'snapshot', snapshot: this.#snapshot });
    for (const { role, fd } of this.#listeners.values()) run.sendListener(role, fd);
  }

  #restartLater(why: string): void {
    const { clock, random, log } = this.#options;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.#failures - 1));
    const delayMs = Math.round(ceiling * (0.5 + random() / 2));
    log('error', 'plane.ended', { code: 'DATA_PLANE_FAILED', why, restartInMs: delayMs });
    this.#cancelRestart = clock.after(delayMs, () => {
      this.#restarts += 1;
      this.start();
    });
  }
}
