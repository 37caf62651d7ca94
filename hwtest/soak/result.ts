// What a soak found, as one document and as text. Every failure of a program is there: inside the window
// of a crash that explains it, or outside of any, and then the soak has failed.
import type { Account, Failure } from './account.ts';
import { actAt, excuseOf, type Act } from './windows.ts';

export interface ProgramResult {
  readonly name: string;
  readonly client: string;
  readonly server: string;
  readonly requests: number;
  readonly errorsInside: number;
  readonly errorsOutside: number;
  /** Milliseconds; null where the program does not say. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** A failure with what was going on. */
export interface Judged extends Omit<Failure, 'at' | 'openedAt'> {
  /** ISO 8601. */
  readonly at: string;
  readonly openedAt: string;
  /** The crash that explains it; null: none does. */
  readonly excusedBy: string | null;
  /** What was being done to the cluster then; null: nothing. */
  readonly during: string | null;
}

export interface SoakResult {
  readonly kind: 'SoakResult';
  /** No error outside of the windows of crashes, and no other problem. */
  readonly ok: boolean;
  readonly seconds: number;
  readonly periodMs: number;
  /** Keys of how many slots were used, as node-a counts. */
  readonly slots: number;
  readonly programs: readonly ProgramResult[];
  readonly acts: readonly (Pick<Act, 'kind' | 'to' | 'detail'> & {
    readonly from: string;
    readonly tookMs: number;
  })[];
  /** Programs that got no answer any more, and what did not come back after an act, one line each. */
  readonly problems: readonly string[];
  readonly errors: readonly Judged[];
  /** Beyond those listed. */
  readonly errorsNotListed: number;
}

export interface Observed extends Pick<SoakResult, 'seconds' | 'periodMs' | 'slots' | 'problems'> {
  readonly programs: readonly (Pick<ProgramResult, 'client' | 'server'> & {
    readonly account: Account;
  })[];
  readonly acts: readonly Act[];
}

const nameOf = ({ kind, to }: Act): string => `${kind} of ${to}`;
const isoOf = (at: number): string => new Date(at).toISOString();

export function soakResult({ programs, acts, ...rest }: Observed): SoakResult {
  const results = programs.map(({ account, client, server }): ProgramResult => {
    const { program: name, requests, failures, latencies, dropped } = account;
    const outside = failures.filter((failure) => excuseOf(failure, acts) === undefined).length;
    const percentile = (q: number): number | null =>
      latencies.count === 0 ? null : Number(latencies.percentile(q).toFixed(3));
    return {
      name,
      client,
      server,
      requests,
      errorsInside: failures.length - outside,
      errorsOutside: outside + dropped, // one that was not kept has no excuse
      p50Ms: percentile(0.5),
      p99Ms: percentile(0.99),
    };
  });
  const failures = programs.flatMap(({ account }) => account.failures);
  const errors = failures
    .toSorted((a, b) => a.at - b.at)
    .map((failure): Judged => {
      const excuse = excuseOf(failure, acts);
      const during = actAt(failure.at, acts);
      return {
        ...failure,
        at: isoOf(failure.at),
        openedAt: isoOf(failure.openedAt),
        excusedBy: excuse ? nameOf(excuse) : null,
        during: during ? nameOf(during) : null,
      };
    });
  return {
    kind: 'SoakResult',
    ok: rest.problems.length === 0 && results.every((each) => each.errorsOutside === 0),
    ...rest,
    programs: results,
    acts: acts.map(({ kind, to, detail, from, until }) => ({
      kind,
      to,
      detail,
      from: isoOf(from),
      tookMs: until - from,
    })),
    errors,
    errorsNotListed: programs.reduce((sum, { account }) => sum + account.dropped, 0),
  };
}

const ERRORS_SHOWN = 20;
const inMs = (value: number | null): string => (value === null ? '-' : value.toFixed(2));

/** The result for people: a table by program, what was done, and every error that nothing explains. */
export function soakText(result: SoakResult): string {
  const outside = result.errors.filter(({ excusedBy }) => excusedBy === null);
  const rows = [
    ['program', 'requests', 'in crashes', 'outside', 'p50 ms', 'p99 ms'],
    ...result.programs.map((each) => [
      each.name,
      String(each.requests),
      String(each.errorsInside),
      String(each.errorsOutside),
      inMs(each.p50Ms),
      inMs(each.p99Ms),
    ]),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const table = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))),
  );
  return [
    `soak of ${result.seconds} s, keys of ${result.slots} slots of ${result.periodMs / 1_000} s: ${result.ok ? 'passed' : 'FAILED'}`,
    '',
    ...table.map((row) => row.join('  ')),
    '',
    ...result.acts.map(
      ({ kind, to, from, detail }) => `${from.slice(11, 19)}  ${kind} of ${to}: ${detail}`,
    ),
    ...result.problems.map((problem) => `! ${problem}`),
    ...outside
      .slice(0, ERRORS_SHOWN)
      .map(
        ({ at, program, connection, openedAt, what, during }) =>
          `! ${at.slice(11, 23)}  ${program}, ${connection} of ${openedAt.slice(11, 23)}: ${what}${during ? ` (during ${during})` : ''}`,
      ),
    ...(outside.length > ERRORS_SHOWN ? [`! and ${outside.length - ERRORS_SHOWN} more`] : []),
    '',
  ].join('\n');
}
