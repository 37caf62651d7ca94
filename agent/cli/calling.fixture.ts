// For tests: a verb called as its command line does, in this process, and what it printed.
import type { ExitCode } from '#agent/base/codes.ts';
import { runCommandLine } from './commandLine.ts';

/** What a call came to. */
export interface Called {
  readonly exit: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** Calls `argv` (without the program's name) from the directory `cwd`. */
export async function callIn(cwd: string, argv: readonly string[]): Promise<Called> {
  let out = '';
  let err = '';
  const exit = await runCommandLine(argv, {
    out: (more) => void (out += more),
    err: (more) => void (err += more),
    env: {},
    cwd,
    stopSignal: () => new AbortController().signal,
  });
  return { exit, out, err };
}
