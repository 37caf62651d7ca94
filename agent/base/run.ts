// The one way to run another program: an argument vector, a time limit, an output cap, a typed exit.
import { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { TidelockError } from './errors.ts';

export interface RunOptions {
  readonly timeoutMs?: number;
  /** Per stream; a program that prints more is ended. */
  readonly maxOutputBytes?: number;
  readonly input?: Uint8Array | string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly signal?: AbortSignal;
  /** Out of reach of the terminal: Ctrl-C goes to the caller alone (setsid(2)). */
  readonly ownSession?: boolean;
  /** Exit codes that are an answer and not a failure. */
  readonly okCodes?: readonly number[];
}

export interface RunResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export type Run = (
  argv: readonly [string, ...string[]],
  options?: RunOptions,
) => Promise<RunResult>;

/**
 * Runs `argv` without a shell and returns its output.
 * Errors: PROCESS_MISSING (not installed), PROCESS_FAILED (exit code, signal, too much output),
 * PROCESS_TIMEOUT.
 */
export const run: Run = (argv, options = {}) =>
  new Promise((resolve, reject) => {
    const [program, ...args] = argv;
    const { timeoutMs = 30_000, maxOutputBytes = 16 << 20, okCodes = [0] } = options;
    const op = `run.${program.split('/').at(-1)}`;
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: options.env ? { ...process.env, ...options.env } : process.env,
      signal: options.signal,
      detached: options.ownSession ?? false,
      killSignal: 'SIGKILL',
    });
    let ended: 'timeout' | 'output' | undefined;
    const timer = setTimeout(() => end('timeout'), timeoutMs);
    const end = (why: 'timeout' | 'output'): void => {
      ended ??= why;
      child.kill('SIGKILL');
    };
    const collect = (stream: NodeJS.ReadableStream): Buffer[] => {
      const chunks: Buffer[] = [];
      let size = 0;
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxOutputBytes) end('output');
        else chunks.push(chunk);
      });
      return chunks;
    };
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    child.stdin.on('error', () => undefined); // EPIPE: the exit code tells the story
    child.stdin.end(options.input);
    child.once('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const missing = cause.code === 'ENOENT';
      reject(
        new TidelockError(missing ? 'PROCESS_MISSING' : 'PROCESS_FAILED', {
          op,
          message: `Cannot run ${program}: ${missing ? 'not installed' : cause.message}`,
          hint: missing
            ? `Install the Debian package that provides ${program}, or run npm start, which does.`
            : 'The program could not be started or was cancelled.',
          cause,
        }),
      );
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const text = Buffer.concat(stderr).toString();
      if (ended === undefined && code !== null && okCodes.includes(code)) {
        resolve({ code, stdout: Buffer.concat(stdout), stderr: text });
        return;
      }
      const why =
        ended === 'timeout'
          ? `no end after ${timeoutMs} ms`
          : ended === 'output'
            ? `more than ${maxOutputBytes} bytes of output`
            : `${signal ?? `exit code ${code}`}: ${lastLines(text)}`;
      reject(
        new TidelockError(ended === 'timeout' ? 'PROCESS_TIMEOUT' : 'PROCESS_FAILED', {
          op,
          message: `Cannot complete ${[program, ...args].join(' ').slice(0, 200)}: ${why}`,
          hint: 'The message after the colon is what the program itself said.',
          cause: { code, signal, stderr: text },
        }),
      );
    });
  });

const lastLines = (text: string): string =>
  text.trim().split('\n').slice(-3).join(' / ').slice(-600);
