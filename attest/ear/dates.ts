// The dates of a token (RFC 7519 4.1, RFC 9711 4.3): when it was issued and while it may be used.
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import { z } from 'zod';

/** Seconds since 1970 as far as a Date goes; an EAT has no fractions (RFC 9711 7.3.1). */
const seconds = z.int().min(0).max(8_640_000_000_000);

/** Schema of the claims that are dates. */
export const dateClaims = {
  iat: seconds.optional(),
  nbf: seconds.optional(),
  exp: seconds.optional(),
} as const;

export type TokenDates = Readonly<Partial<Record<keyof typeof dateClaims, number | undefined>>>;

/** Clocks of issuer and reader may differ by so much. */
const MAX_SKEW_S = 60;

/** Whether a token of these dates may be used at `atMs` (Unix milliseconds). */
export function datesCheck({ iat, nbf, exp }: TokenDates, atMs: number): Check {
  const name = 'dates';
  const judged = `judged as of ${new Date(atMs).toISOString()}`;
  const made = iat === undefined ? 'Issued at a time that is not said' : `Issued ${iso(iat)}`;
  const issued = nbf === undefined ? made : `${made}, valid from ${iso(nbf)}`;
  // Without `nbf` nothing was said of times before the issue. With it, the issuer meant an archive.
  const from = nbf ?? iat ?? 0;
  if (from > atMs / 1000 + MAX_SKEW_S) {
    const text = `${issued}, ${judged}: not valid yet. A clock is wrong, or --at is.`;
    return fail(name, text);
  }
  if (exp === undefined) {
    return notChecked(name, `${issued}, ${judged}; whoever issued it set no end.`);
  }
  if (atMs / 1000 >= exp) {
    const text = `${issued}, expired ${iso(exp)}, ${judged}. Ask whoever issued it for a new one, or judge an archived one as of its own time: --at ${iso(from)}.`;
    return fail(name, text);
  }
  return pass(name, `${issued}, expires ${iso(exp)}, ${judged}.`);
}

const iso = (unixS: number): string => new Date(unixS * 1000).toISOString();
