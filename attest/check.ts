// One finding of an appraisal and how findings add up to a verdict (RATS EAR, draft-ietf-rats-ear).

/** `none` says that nothing is known, which is neither good nor bad and never good enough. */
export type Verdict = 'affirming' | 'warning' | 'none' | 'contraindicated';

/** The claims of a trustworthiness vector (AR4SI, draft-ietf-rats-ar4si 2.3). */
export type TrustClaim =
  | 'instance-identity'
  | 'configuration'
  | 'executables'
  | 'file-system'
  | 'hardware'
  | 'runtime-opaque'
  | 'storage-opaque'
  | 'sourced-data';

export interface Check {
  /** Stable, lower case: `quote signature`, `PCR 4`. */
  readonly name: string;
  readonly result: 'pass' | 'fail' | 'not checked';
  /** What was found, what differs and the remedy, in words for an operator. */
  readonly text: string;
  /** The best verdict that this check leaves possible. */
  readonly ceiling: Verdict;
  /** What it bears on in the trustworthiness vector; absent: on the form of the evidence alone. */
  readonly claim?: TrustClaim;
  /** The AR4SI value of `claim` that a pass stands for; absent: that of trustVector.ts. */
  readonly affirms?: number;
}

/** The same check, bearing on `claim`. */
export const about = (claim: TrustClaim, check: Check): Check => ({ ...check, claim });

/** The same check, whose failure speaks against `claim` and whose pass does not speak for it. */
export const limits = (claim: TrustClaim, check: Check): Check => ({ ...check, claim, affirms: 0 });

const BEST_FIRST: readonly Verdict[] = ['affirming', 'warning', 'none', 'contraindicated'];

export const pass = (name: string, text: string): Check => ({
  name,
  result: 'pass',
  text,
  ceiling: 'affirming',
});

export const fail = (name: string, text: string, ceiling: Verdict = 'contraindicated'): Check => ({
  name,
  result: 'fail',
  text,
  ceiling,
});

/** A claim nobody looked at; `ceiling` is `affirming` where policy does not ask for it. */
export const notChecked = (name: string, text: string, ceiling: Verdict = 'affirming'): Check => ({
  name,
  result: 'not checked',
  text,
  ceiling,
});

/** The lowest ceiling of all checks; no check at all is no knowledge: `none`. */
export function verdictOf(checks: readonly Check[]): Verdict {
  if (checks.length === 0) return 'none';
  return checks.reduce<Verdict>(
    (worst, { ceiling }) =>
      BEST_FIRST.indexOf(ceiling) > BEST_FIRST.indexOf(worst) ? ceiling : worst,
    'affirming',
  );
}
