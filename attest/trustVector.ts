// The trustworthiness vector of an appraisal (AR4SI, draft-ietf-rats-ar4si 2.3): per claim the worst that
// a check about it leaves possible. A claim that no check is about is left out: nothing is said of it; one
// whose checks were all left undone is 0: no claim is made.
import { verdictOf, type Check, type TrustClaim, type Verdict } from './check.ts';

/** AR4SI 2.3.2: the generic value of each tier. */
const TIER: Readonly<Record<Verdict, number>> = {
  none: 0,
  affirming: 2,
  warning: 32,
  contraindicated: 96,
};

export type TrustVector = Readonly<Partial<Record<TrustClaim, number>>>;

/** Values are those of AR4SI: 0 none, 2 affirming, 32 warning, 96 contraindicated. */
export function trustVector(checks: readonly Check[]): TrustVector {
  const claims = new Map<TrustClaim, Check[]>();
  for (const check of checks) {
    if (check.claim !== undefined)
      claims.set(check.claim, [...(claims.get(check.claim) ?? []), check]);
  }
  return Object.fromEntries(
    Array.from(claims, ([claim, about]) => [
      claim,
      TIER[isJudged(about) ? verdictOf(about) : 'none'],
    ]),
  );
}

const isJudged = (checks: readonly Check[]): boolean =>
  checks.some(({ result }) => result !== 'not checked');

/** The tier of a value from -128 to 127, of which others than the generic ones say why (AR4SI 2.3.2). */
export function tierOf(value: number): Verdict {
  if (value >= -1 && value <= 1) return 'none';
  if (value >= -32 && value <= 31) return 'affirming';
  return value >= -96 && value <= 95 ? 'warning' : 'contraindicated';
}

/** The worst of some tiers; affirming where there are none. */
export const worstOf = (tiers: readonly Verdict[]): Verdict =>
  tiers.reduce<Verdict>((worst, tier) => (RANK[tier] > RANK[worst] ? tier : worst), 'affirming');

/** What is not known is no good, but it is not known to be bad either. */
const RANK: Readonly<Record<Verdict, number>> = {
  affirming: 0,
  warning: 1,
  none: 2,
  contraindicated: 3,
};
