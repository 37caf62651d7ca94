// Keeps one tracer running: ready at its first heartbeat, ended when it falls silent, started anew after
// growing pauses. It hands out lines and reads none of them.
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError, type TidelockError } from '#agent/base/errors.ts';
import type { Failure } from './diagnosis.ts';
import { LineSplitter } from './splitter.ts';
import type { Tracer } from './tracer.ts';

export type RunnerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly pid: number | undefined }
  /** Being tried again, after a pause. */
  | { readonly kind: 'degraded'; readonly problem: TidelockError }
  | { readonly kind: 'closed' };

export interface RunnerOptions {
  /** Errors: whatever keeps it from being tried; they count as a failed start. */
  readonly start: () => Tracer;
  readonly diagnose: (failure: Failure) => TidelockError;
  /** One line; true when it is a heartbeat. Must not throw. */
  readonly onLine: (line: string) => boolean;
  readonly onOverlong: () => void;
  readonly onState: (state: RunnerState) => void;
  readonly clock: Clock;
  /** Uniform in [0, 1), for the jitter of restarts. */
  readonly random: () => number;
}

const TICK_MS = 1_000;
/** Compiling for a loaded machine takes a few seconds; after that a heartbeat comes twice a second. */
const START_TICKS = 30;
const SILENT_TICKS = 6;

const BACKOFF_MIN_MS = 200;
const BACKOFF_MAX_MS = 30_000;
/** What a machine lacks is not mended within seconds. */
const BACKOFF_LACKING_MS = 60_000;
/** A tracer that ran this long was well; its end is not part of a series. */
const WELL_AFTER_MS = 60_000;

const MAX_STDERR_CHARS = 4_096;
const TERM_GRACE_MS = 2_000;

/** The tracer that runs now. */
interface Run {
  readonly tracer: Tracer;
  readonly startedMs: number;
  stderr: string;
  ran: boolean;
  silent: boolean;
  /** Ticks since it last said anything; ticks and not time, so that our own pauses are not its. */
  quietTicks: number;
}

export class Runner {
  readonly #o: RunnerOptions;
  #state: RunnerState = { kind: 'starting' };
  #run: Run | undefined;
  #cancelTimer: () => void = () => undefined;
  #failures = 0;
  #restarts = 0;

  constructor(options: RunnerOptions) {
    this.#o = options;
  }

  get state(): RunnerState {
    return this.#state;
  }

  /** Starts after the first. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts a tracer and keeps one running until closed. */
  start(): void {
    let tracer: Tracer;
    try {
      tracer = this.#o.start();
    } catch (thrown) {
      this.#failed(asTidelockError(thrown, 'probes.start'));
      return;
    }
    const startedMs = this.#o.clock.monoMs();
    const run: Run = { tracer, startedMs, stderr: '', ran: false, silent: false, quietTicks: 0 };
    this.#run = run;
    const lines = new LineSplitter((line) => this.#heard(run, line), this.#o.onOverlong);
    tracer.onStdout((chunk) => {
      run.quietTicks = 0;
      lines.push(chunk);
    });
    tracer.onStderr((chunk) => {
      run.stderr = (run.stderr + chunk).slice(-MAX_STDERR_CHARS);
    });
    void tracer.ended.then((end) => this.#ended({ ...run, end }));
    this.#tick(run);
  }

  /** Ends the tracer, by force if it will not end, and waits until it is gone. */
  async close(): Promise<void> {
    this.#cancelTimer();
    this.#become({ kind: 'closed' });
    const tracer = this.#run?.tracer;
    if (!tracer) return;
    tracer.kill('SIGTERM');
    const cancel = this.#o.clock.after(TERM_GRACE_MS, () => tracer.kill('SIGKILL'));
    await tracer.ended;
    cancel();
  }

  #become(state: RunnerState): void {
    this.#state = state;
    this.#o.onState(state);
  }

  #heard(run: Run, line: string): void {
    const heartbeat = this.#o.onLine(line);
    if (!heartbeat || run.ran || this.#state.kind === 'closed') return;
    run.ran = true;
    this.#become({ kind: 'running', pid: run.tracer.pid });
  }

  #tick(run: Run): void {
    this.#cancelTimer = this.#o.clock.after(TICK_MS, () => {
      run.quietTicks += 1;
      if (run.quietTicks >= (run.ran ? SILENT_TICKS : START_TICKS)) {
        run.silent = true;
        run.tracer.kill('SIGKILL');
      } else {
        this.#tick(run);
      }
    });
  }

  #ended(failure: Run & Failure): void {
    this.#run = undefined;
    this.#cancelTimer();
    if (this.#state.kind === 'closed') return;
    if (this.#o.clock.monoMs() - failure.startedMs > WELL_AFTER_MS) this.#failures = 0;
    this.#failed(this.#o.diagnose(failure));
  }

  #failed(problem: TidelockError): void {
    this.#failures += 1;
    const ceilingMs =
      problem.code === 'PROBES_UNAVAILABLE'
        ? BACKOFF_LACKING_MS
        : Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** (this.#failures - 1));
    this.#become({ kind: 'degraded', problem });
    this.#cancelTimer = this.#o.clock.after(
      Math.round(ceilingMs * (0.5 + this.#o.random() / 2)),
      () => {
        this.#restarts += 1;
        this.start();
      },
    );
  }
}
