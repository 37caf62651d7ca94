// Lengths of time as flags carry them: `30m`, `12h`, `7d`.
import { usage } from './arguments.ts';

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_DAYS = 366;

/** Milliseconds that `text`, given to `--for`, says. Errors: USAGE. */
export function timeSpanMs(verb: string, text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})([mhd])$/.exec(text) ?? [];
  const lengthMs = Number(count) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  if (lengthMs <= MAX_DAYS * 86_400_000) return lengthMs;
  throw usage(
    verb,
    `--for takes minutes, hours or days such as 30m, 12h or 7d, at most ${MAX_DAYS}d`,
  );
}
