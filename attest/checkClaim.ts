// Which claim of the trustworthiness vector each check of a report and of a quote bears on (AR4SI 2.3).
// Checks on the form and the age of evidence bear on none: they say how far the others are to be believed.
import { about, limits, type Check, type TrustClaim } from './check.ts';

const CLAIMS: readonly (readonly [claim: TrustClaim, name: RegExp])[] = [
  [
    'instance-identity',
    /^(?:enrolment(?: signature)?|endorsement key|attestation key|AK belongs to EK)$/,
  ],
  ['hardware', /^(?:EK certificate chain|TPM firmware)$/],
  // PC Client Platform Firmware Profile 1.06 3.3.4 and the Linux TPM PCR registry: settings, not code.
  ['configuration', /^PCR (?:1|3|5|7|12|14)$/],
  ['executables', /^PCR \d+$/],
  ['runtime-opaque', /^confidential computing$/],
];

/** What is bad for a claim when it fails, and says nothing good of it by passing. */
const LIMITS: typeof CLAIMS = [
  ['instance-identity', /^(?:statement|quote signature|AK attributes)$/],
  ['hardware', /^TPM clock$/],
  ['configuration', /^(?:policy(?: signature)?|bank|PCR bank)$/],
  ['executables', /^(?:event log.*|IMA.*)$/], // they explain a boot; reference values call it good
];

const claimIn = (table: typeof CLAIMS, check: Check): TrustClaim | undefined =>
  table.find(([, name]) => name.test(check.name))?.[0];

/** The same check with its claim; one that has a claim already keeps it. */
export function withClaim(check: Check): Check {
  if (check.claim !== undefined) return check;
  const claim = claimIn(CLAIMS, check);
  if (claim !== undefined) return about(claim, check);
  const limited = claimIn(LIMITS, check);
  return limited === undefined ? check : limits(limited, check);
}
