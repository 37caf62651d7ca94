// Which claim of the trustworthiness vector each check of a report bears on (AR4SI 2.3). Checks on the
// form and the age of a report bear on none: they say how far the others are to be believed.
import type { Check, TrustClaim } from './check.ts';

const CLAIMS: readonly (readonly [claim: TrustClaim, name: RegExp])[] = [
  [
    'instance-identity',
    /^(?:enrolment(?: signature)?|endorsement key|attestation key|AK belongs to EK|statement|quote signature)$/,
  ],
  ['hardware', /^(?:EK certificate chain|TPM firmware|TPM clock)$/],
  // PC Client Platform Firmware Profile 1.06 3.3.4 and the Linux TPM PCR registry: settings, not code.
  ['configuration', /^(?:policy(?: signature)?|bank|PCR (?:1|3|5|7|12|14))$/],
  ['executables', /^(?:PCR \d+|event log.*|IMA.*)$/],
  ['runtime-opaque', /^confidential computing$/],
];

/** The same check with its claim; one that has a claim already keeps it. */
export function withClaim(check: Check): Check {
  const claim = check.claim ?? CLAIMS.find(([, name]) => name.test(check.name))?.[0];
  return claim === undefined ? check : { ...check, claim };
}
