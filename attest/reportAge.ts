// How old a report is and what that means to its reader. The times in it are the node's own word.
import { fail, notChecked, pass, type Check } from './check.ts';
import type { ReportBody } from './report.ts';
import type { Stated } from './reportStated.ts';

const NAME = 'freshness';
/** Clocks of node and reader may differ by so much, and a clock that is set may go back by it. */
export const MAX_SKEW_MS = 60_000;

/** What a reader asks about: its own present, the signing of the report, or a moment in unix milliseconds. */
export type Moment = 'now' | 'issued' | number;

/** The moment that a report is judged as of; unix milliseconds. */
export interface AsOf {
  readonly moment: 'now' | 'issued' | 'given';
  readonly ms: number;
}

/** Which moment `at` is for a report signed at `issuedAt`, by a reader whose clock says `nowMs`. */
export function asOf(at: Moment, issuedAt: number, nowMs: number): AsOf {
  if (at === 'now') return { moment: at, ms: nowMs };
  return at === 'issued' ? { moment: at, ms: issuedAt } : { moment: 'given', ms: at };
}

/** Times that a report names, unix milliseconds: of its quote and, from the statement, of its keys. */
type Times = Pick<ReportBody, 'attestedAt'> & Pick<Stated, 'issuedAtMs'>;

/**
 * Until when an attestation of these times counts, unix milliseconds, under a policy that gives it
 * `lifetimeMs`. The TPM signed the statement, and with it when that was issued; `attestedAt` rests on the
 * node's keys alone, and who stole those may write what he likes.
 */
export const countsUntilMs = ({ attestedAt, issuedAtMs }: Times, lifetimeMs: number): number =>
  Math.min(attestedAt, issuedAtMs) + lifetimeMs;

/**
 * Judges the age of the quote against the lifetime that the owners' policy gives an attestation. As of
 * its signing a report can only tell how the node was then: what it is now stays unchecked, and is said.
 */
export function freshnessCheck(
  attested: Times,
  lifetimeMs: number | undefined,
  { moment, ms }: AsOf,
  nowMs: number,
): Check {
  const { attestedAt, issuedAtMs } = attested;
  const times = `keys of ${isoTime(issuedAtMs)}, attested at ${isoTime(attestedAt)}`;
  const made = `With ${times} by the node’s own clock`;
  const aheadMs = attestedAt - (moment === 'issued' ? nowMs : ms);
  if (aheadMs > MAX_SKEW_MS) {
    const text = `${made}, which is ${duration(aheadMs)} after the moment asked about: a clock is wrong, or the wrong report was given.`;
    return fail(NAME, text, 'none');
  }
  if (lifetimeMs === undefined) return notChecked(NAME, `${made}; no policy sets a limit.`, 'none');
  const lateMs = ms - countsUntilMs(attested, lifetimeMs);
  const age = duration(Math.max(0, lateMs + lifetimeMs));
  const limit = `${made}, ${age} before ${MOMENTS[moment]}; an attestation counts for ${duration(lifetimeMs)}.`;
  if (lateMs > 0) return fail(NAME, `${limit}${REMEDIES[moment]}`, 'none');
  if (moment !== 'issued') return pass(NAME, limit);
  const text = `${limit} It was signed ${duration(Math.max(0, nowMs - ms))} ago: what the node is now was not asked (--at now).`;
  return notChecked(NAME, text);
}

const MOMENTS: Readonly<Record<AsOf['moment'], string>> = {
  now: 'now',
  issued: 'the report was signed',
  given: 'the moment asked about',
};

const REMEDIES: Readonly<Record<AsOf['moment'], string>> = {
  now: ' Get a newer report from the node, or ask how the node was when this one was signed (--at issued).',
  issued: '',
  given: ' Give a report of that time.',
};

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();

const UNITS: readonly (readonly [ms: number, unit: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
];

/** `3 d 4 h`, `9 min`, `12 s`. */
function duration(ms: number): string {
  const at = UNITS.findIndex(([unitMs]) => ms >= unitMs);
  const largest = UNITS[at];
  if (largest === undefined) return `${Math.floor(ms / 1000)} s`;
  const [unitMs, unit] = largest;
  const [nextMs, next] = UNITS[at + 1] ?? [0, ''];
  const rest = nextMs === 0 ? 0 : Math.floor((ms % unitMs) / nextMs);
  return `${Math.floor(ms / unitMs)} ${unit}${rest > 0 ? ` ${rest} ${next}` : ''}`;
}
