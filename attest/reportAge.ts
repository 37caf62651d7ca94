// How old a report is and what that means to its reader. The times in it are the node's own word.
import { fail, notChecked, pass, type Check } from './check.ts';
import type { ReportBody } from './report.ts';
import type { Stated } from './reportStated.ts';

const NAME = 'freshness';
/** Clocks of node and reader may differ by so much, and a clock that is set may go back by it. */
export const MAX_SKEW_MS = 60_000;

/** The moment a reader asks about, if it named one, and its clock; unix milliseconds. */
interface Moment {
  readonly atMs: number | undefined;
  readonly nowMs: number;
}

/**
 * Judges the age of the quote against the lifetime that the owners' policy gives an attestation. A reader
 * that names no moment is told how the node was when the report was made, and how long ago that is.
 */
export function freshnessCheck(
  { attestedAt, issuedAtMs }: Pick<ReportBody, 'attestedAt'> & Pick<Stated, 'issuedAtMs'>,
  lifetimeMs: number | undefined,
  { atMs, nowMs }: Moment,
): Check {
  const times = `keys of ${new Date(issuedAtMs).toISOString()}, attested at ${new Date(attestedAt).toISOString()}`;
  const made = `With ${times} by the node’s own clock`;
  // The TPM signed the statement, and with it when that was issued; `attestedAt` rests on the node's keys
  // alone, and who stole those may write what he likes.
  const ageMs = (atMs ?? nowMs) - Math.min(attestedAt, issuedAtMs);
  const aheadMs = attestedAt - (atMs ?? nowMs);
  if (aheadMs > MAX_SKEW_MS) {
    const text = `${made}, which is ${duration(aheadMs)} after the moment asked about: a clock is wrong, or the wrong report was given.`;
    return fail(NAME, text, 'none');
  }
  const age = duration(Math.max(0, ageMs));
  if (atMs === undefined) {
    const text = `${made}, ${age} ago: this tells how the node was then. Name a moment (--at now) to have the age judged.`;
    return notChecked(NAME, text);
  }
  if (lifetimeMs === undefined) return notChecked(NAME, `${made}; no policy sets a limit.`, 'none');
  const limit = `${made}, ${age} before; an attestation counts for ${duration(lifetimeMs)}.`;
  return ageMs <= lifetimeMs
    ? pass(NAME, limit)
    : fail(NAME, `${limit} Get a newer report from the node.`, 'none');
}

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
