// How an evidence verb tells what it found: checks, verdict, vector and claims, as JSON or as text, and
// the exit code that follows from the verdict.
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import { verdictOf, type Check, type Verdict } from '#attest/check.ts';
import { trustVector } from '#attest/trustVector.ts';
import { printResult } from '#agent/cli/output.ts';
import type { OutputForm } from '#agent/cli/verb.ts';
import type { Terminal } from '#agent/cli/terminal.ts';
import { claimLines } from './claimText.ts';

export interface Judged {
  readonly checks: readonly Check[];
  /** Only from verified bytes; names as in the specification of the evidence. */
  readonly claims: Readonly<Record<string, unknown>>;
}

const RESULT = { pass: 'pass', fail: 'fail', 'not checked': 'skipped' } as const;

/** `affirming` and `warning` are good; `none` and `contraindicated` are not. */
export const exitOf = (verdict: Verdict): ExitCode =>
  verdict === 'affirming' || verdict === 'warning' ? EXIT.ok : EXIT.notVerified;

/** Prints `{verdict, vector, checks, claims}` and what `more` adds; returns the exit code. */
export function printJudged(
  to: { readonly terminal: Terminal; readonly output: OutputForm },
  kind: string,
  judged: Judged,
  more: object = {},
): ExitCode {
  const verdict = verdictOf(judged.checks);
  const checks = judged.checks.map(({ name, result, text }) => ({
    name,
    result: RESULT[result],
    text,
  }));
  const document = {
    verdict,
    vector: trustVector(judged.checks),
    checks,
    claims: judged.claims,
    ...more,
  };
  printResult(to, kind, document, judgedText(verdict, checks, judged.claims));
  return exitOf(verdict);
}

interface CheckLine {
  readonly name: string;
  readonly result: string;
  readonly text: string;
}

function judgedText(
  verdict: Verdict,
  checks: readonly CheckLine[],
  claims: Judged['claims'],
): string {
  const width = Math.max(0, ...checks.map(({ name }) => name.length));
  const lines = checks.map(
    ({ name, result, text }) => `${result.padEnd(7)}  ${name.padEnd(width)}  ${text}`,
  );
  const named = claimLines(claims);
  const claimed = named.length > 0 ? ['', 'claims', ...named] : [];
  return [`verdict  ${verdict}`, '', ...lines, ...claimed].join('\n');
}
