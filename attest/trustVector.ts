// The trustworthiness vector of an appraisal (AR4SI, draft-ietf-rats-ar4si 2.3): per claim the worst that
// a check about it leaves possible. A claim that no check is about is left out: nothing is said of it; one
// whose checks were all left undone is 0: no claim is made.
import { verdictOf, type Check, type TrustClaim, type Verdict } from './check.ts';

/** AR4SI 2.3.1: the generic value of each tier. */
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
