// The value of `--at`: the moment as of which an evidence verb judges, and of flags like it. It means the same to every reader:
// without an offset it is UTC, and a number counts from 1970.
import { systemClock } from '#agent/base/clock.ts';
import { usage } from '#agent/cli/arguments.ts';

/** ISO 8601: a day, or a day and a time with an optional offset. */
const ISO = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/i;
const UNIX = /^\d{1,15}$/;
/** Below it a number counts seconds (until the year 5138), from it on milliseconds (since 1973). */
const FIRST_MS = 1e11;

/**
 * Unix milliseconds of `2026-01-31`, `2026-01-31T12:00:00Z`, Unix seconds or Unix milliseconds; now when
 * `text` is undefined. Errors: USAGE, naming `verb` and `flag`.
 */
export function readMoment(text: string | undefined, verb: string, flag = 'at'): number {
  if (text === undefined) return systemClock.wallMs();
  if (UNIX.test(text)) return Number(text) < FIRST_MS ? Number(text) * 1000 : Number(text);
  const [, day, time = '00:00', offset = 'Z'] = ISO.exec(text) ?? [];
  const atMs = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${offset}`.toUpperCase());
  if (Number.isFinite(atMs)) return atMs;
  const given = JSON.stringify(text.slice(0, 80));
  throw usage(
    verb,
    `--${flag} is ${given} and must be a time such as 2026-01-31T12:00:00Z or Unix seconds`,
  );
}
