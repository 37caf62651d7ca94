// The bpftrace process as its supervisor sees it: two streams of text, an end, a signal. It is not
// restarted here, and no line is read here.
import { spawn, spawnSync } from 'node:child_process';
import type { BpftraceVersion } from './program.ts';

/** How a tracer ended. */
export interface TracerEnd {
  /** Why it could not even be started, as an errno such as `ENOENT`. */
  readonly spawnErrno?: string;
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Tracer {
  readonly pid: number | undefined;
  /** Calls back with latin1 text as it comes. */
  onStdout(callback: (chunk: string) => void): void;
  onStderr(callback: (chunk: string) => void): void;
  /** Settles when the process and its streams have ended; never rejects. */
  readonly ended: Promise<TracerEnd>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** Starts a tracer with `program` on its standard input. Never throws: a failure is an end. */
export type SpawnTracer = (program: string, args: readonly string[]) => Tracer;

/** Bytes of a text that a probe may print; 200 is the most that bpftrace takes. */
const STRLEN = '128';
/** Pages of 4 KiB per processor between kernel and bpftrace: the budget of several seconds. */
const RING_PAGES = '128';

/**
 * Starts bpftrace as `argv`, in a session of its own: a Ctrl-C at the agent's terminal is the agent's to
 * handle. When the agent dies, the next heartbeat finds nobody to read it and ends it.
 */
export const tracerBy =
  (argv: readonly [string, ...string[]]): SpawnTracer =>
  (program, args) => {
    const [command, ...before] = argv;
    const child = spawn(command, [...before, '-f', 'json', '-', ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: {
        ...process.env,
        BPFTRACE_STRLEN: STRLEN,
        BPFTRACE_MAX_STRLEN: STRLEN, // its name since bpftrace 0.19
        BPFTRACE_PERF_RB_PAGES: RING_PAGES,
      },
    });
    child.stdin.on('error', () => undefined); // it ended before it read: its end says why
    child.stdin.end(program);
    return {
      pid: child.pid,
      onStdout: (callback) => onText(child.stdout, callback),
      onStderr: (callback) => onText(child.stderr, callback),
      ended: new Promise((resolve) => {
        child.once('error', (cause: NodeJS.ErrnoException) =>
          resolve({ spawnErrno: cause.code ?? cause.message, code: null, signal: null }),
        );
        child.once('close', (code, signal) => resolve({ code, signal }));
      }),
      kill: (signal) => void child.kill(signal),
    };
  };

/** The bpftrace of the PATH. */
export const spawnBpftrace = tracerBy(['bpftrace']);

/** How long bpftrace may take to tell its version, which is some ten milliseconds. */
const VERSION_MS = 2000;

/** Of the bpftrace of the PATH; undefined when it does not tell. Waits for it: asked once per start. */
export function bpftraceVersion(): BpftraceVersion | undefined {
  const { stdout } = spawnSync('bpftrace', ['--version'], {
    encoding: 'utf8',
    timeout: VERSION_MS,
  });
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor)];
}

const onText = (stream: NodeJS.ReadableStream, callback: (chunk: string) => void): void => {
  stream.setEncoding('latin1').on('data', callback);
};
