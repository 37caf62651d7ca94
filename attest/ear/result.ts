// What an attestation result says, check by check: its profile and dates, and for each attester the
// status and the trustworthiness vector, which must not contradict each other.
import { about, fail, notChecked, pass, type Check, type Verdict } from '#attest/check.ts';
import { printable } from '#attest/printable.ts';
import { tierOf, worstOf } from '#attest/trustVector.ts';
import type { EarClaims, Submodule } from './claims.ts';
import { datesCheck } from './dates.ts';

/** The checks of a result as of `atMs` (Unix milliseconds). */
export const resultChecks = (result: EarClaims, atMs: number): Check[] => [
  profileCheck(result),
  datesCheck(result.dates, atMs),
  ...wholeCheck(result),
  ...result.submodules.flatMap(submoduleChecks),
];

function profileCheck({ profile, profileKnown }: EarClaims): Check {
  const name = 'profile';
  const quoted = `"${printable(profile)}"`;
  return profileKnown
    ? pass(name, `${quoted}, an EAR.`)
    : fail(name, `${quoted} is not known; it was read as an EAR.`, 'warning');
}

/** The status of the whole may not be better than the worst of its parts (draft-ietf-rats-ear 3). */
function wholeCheck({ status, submodules }: EarClaims): Check[] {
  if (status === undefined) return [];
  const worst = worstOf(submodules.map((submodule) => submodule.status));
  return worstOf([status, worst]) === status
    ? [statusCheck('status', 'The whole', status)]
    : [fail('status', `The whole is called ${status}, though an attester in it is ${worst}.`)];
}

function submoduleChecks({ name: given, status, vector }: Submodule): Check[] {
  const name = printable(given);
  const claimed = Array.from(vector, ([claim, value]): Check => {
    const tier = tierOf(value);
    const title = `${name} ${claim}`;
    return about(
      claim,
      tier === 'none'
        ? notChecked(title, `The verifier makes no claim (${value}).`)
        : {
            ...tierCheck(title, `The verifier calls it ${tier} (${value}).`, tier),
            affirms: value,
          },
    );
  });
  // No claim is no shortfall: none at all may stand beside a status (draft-ietf-rats-ear 3.1).
  const tiers = [...vector.values()].map(tierOf).filter((tier) => tier !== 'none');
  const worst = worstOf(tiers);
  const consistent = tiers.length === 0 || worstOf([status, worst]) === status;
  return [
    consistent
      ? statusCheck(`${name} status`, 'The attester', status)
      : fail(`${name} status`, `It is called ${status}, though its vector is ${worst}.`),
    ...claimed,
  ];
}

const statusCheck = (name: string, subject: string, status: Verdict): Check =>
  tierCheck(name, `${subject} is called ${status}.`, status);

const tierCheck = (name: string, text: string, tier: Verdict): Check =>
  tier === 'affirming' ? pass(name, text) : fail(name, text, tier);
