// The trustworthiness vector of an appraisal (AR4SI, draft-ietf-rats-ar4si 2.3): per claim the worst that
// a check about it leaves possible. A claim that no check is about is left out: nothing is said of it; one
// whose checks were all left undone, or vouch for nothing by passing, is 0: no claim is made.
import { verdictOf, type Check, type TrustClaim, type Verdict } from './check.ts';

/** AR4SI 2.3.2: the generic value of each tier. */
const TIER: Readonly<Record<Verdict, number>> = {
  none: 0,
  affirming: 2,
  warning: 32,
  contraindicated: 96,
};

/**
 * AR4SI 2.3.4, ApprovedBoot: what was loaded during boot is known and approved. That would be 2 if it held
 * of what was loaded since, too; but nothing here compares an IMA list with files that may run.
 */
const APPROVED_BOOT = 3;

/** What a check stands for by passing, unless it says otherwise itself. */
const affirmedBy = ({ claim, affirms }: Check): number =>
  affirms ?? (claim === 'executables' ? APPROVED_BOOT : TIER.affirming);

export type TrustVector = Readonly<Partial<Record<TrustClaim, number>>>;

/** Values are those of AR4SI: 0 none, 2 to 31 affirming, 32 warning, 96 contraindicated. */
export function trustVector(checks: readonly Check[]): TrustVector {
  const claims = new Map<TrustClaim, Check[]>();
  for (const check of checks) {
    if (check.claim !== undefined)
      claims.set(check.claim, [...(claims.get(check.claim) ?? []), check]);
  }
  return Object.fromEntries(Array.from(claims, ([claim, about]) => [claim, valueOf(about)]));
}

/** The weakest word of those that passed, where nothing speaks against it. */
function valueOf(checks: readonly Check[]): number {
  if (checks.every(({ result }) => result === 'not checked')) return TIER.none;
  const tier = verdictOf(checks);
  if (tier !== 'affirming') return TIER[tier];
  const affirmed = checks
    .filter(({ result }) => result === 'pass')
    .map(affirmedBy)
    .filter((value) => tierOf(value) === 'affirming');
  return affirmed.length === 0 ? TIER.none : Math.max(...affirmed);
}

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
