// Calls a verb of the product as its command line does, in this process, and takes what it prints.
import type { ExitCode } from '#agent/base/codes.ts';
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { vectorDirectory } from '#attest/testdata/vectors.ts';

export interface Answer {
  readonly exit: ExitCode;
  /** The one JSON document of standard output. */
  readonly document: Readonly<Record<string, unknown>>;
}

/** `tidelock evidence ...argv -o json`. */
export async function callEvidence(...argv: readonly string[]): Promise<Answer> {
  let printed = '';
  const exit = await runCommandLine(['evidence', ...argv, '-o', 'json'], {
    out: (text) => {
      printed += text;
    },
    err: () => {},
    env: {},
    cwd: process.cwd(),
    stopSignal: () => new AbortController().signal,
  });
  return { exit, document: JSON.parse(printed) as Answer['document'] };
}

/** The path of a vector, as a verb takes it. */
export const at = (path: string): string => vectorDirectory(path);

/** `pass`, `fail` or `skipped`, by the name of the check; undefined where there is no such check. */
export const resultOf = ({ checks }: Answer['document'], name: string): unknown =>
  ((checks ?? []) as readonly { readonly name: string; readonly result: string }[]).find(
    (check) => check.name === name,
  )?.result;
