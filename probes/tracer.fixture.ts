// For tests: a tracer that says what a test makes it say, and a clock that stands still until it is
// stepped.
import type { Clock } from '#agent/base/clock.ts';
import type { SpawnTracer, Tracer, TracerEnd } from './tracer.ts';

/** One started tracer; it ends by SIGTERM and SIGKILL alike unless it is `deaf` to the first. */
export class FakeTracer implements Tracer {
  readonly pid: number;
  readonly program: string;
  readonly args: readonly string[];
  readonly signals: string[] = [];
  deaf = false;
  readonly ended: Promise<TracerEnd>;
  #end: (end: TracerEnd) => void = () => undefined;
  #stdout: (chunk: string) => void = () => undefined;
  #stderr: (chunk: string) => void = () => undefined;

  constructor(pid: number, program: string, args: readonly string[]) {
    this.pid = pid;
    this.program = program;
    this.args = args;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  onStdout(callback: (chunk: string) => void): void {
    this.#stdout = callback;
  }

  onStderr(callback: (chunk: string) => void): void {
    this.#stderr = callback;
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.signals.push(signal);
    if (signal === 'SIGKILL' || !this.deaf) this.#end({ code: null, signal });
  }

  /** Prints values as bpftrace does, one a line. */
  print(...values: readonly (readonly unknown[])[]): void {
    for (const data of values) this.say(`${JSON.stringify({ type: 'value', data })}\n`);
  }

  say(text: string): void {
    this.#stdout(text);
  }

  beat(): void {
    this.print(['hb', 0]);
  }

  /** Says something on standard error and ends. */
  async die(stderr: string, end: Partial<TracerEnd> = {}): Promise<void> {
    this.#stderr(stderr);
    this.#end({ code: 1, signal: null, ...end });
    await settled();
  }
}

/** Starts FakeTracers and keeps them, newest last. */
export class FakeTracers {
  readonly all: FakeTracer[] = [];

  readonly spawn: SpawnTracer = (program, args) => {
    const tracer = new FakeTracer(1_000 + this.all.length, program, args);
    this.all.push(tracer);
    return tracer;
  };

  get newest(): FakeTracer {
    const tracer = this.all.at(-1);
    if (!tracer) throw new RangeError('no tracer was started');
    return tracer;
  }
}

export class StepClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  wallMs = (): number => 1_700_000_000_000 + this.#nowMs;
  monoMs = (): number => this.#nowMs;

  after = (ms: number, callback: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Moves on, fires what is due in its order, and lets what follows from it happen. */
  async step(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > endMs) break;
      this.#nowMs = next.atMs;
      this.#timers.delete(next);
      next.callback();
      await settled();
    }
    this.#nowMs = endMs;
  }
}

/** After this, whatever waited for settled promises has run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
