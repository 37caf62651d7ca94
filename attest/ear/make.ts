// Makes an attestation result of an appraisal of ours: the claims set that other relying parties read
// (draft-fv-rats-ear, as Veraison and Trustee write it) and the JSON Web Token that it travels in.
import type { SigningKey } from '#agent/base/asymmetric.ts';
import { b64url, utf8 } from '#agent/base/bytes.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { verdictOf, type Check } from '#attest/check.ts';
import { trustVector } from '#attest/trustVector.ts';
import { VERAISON_PROFILE } from './claims.ts';
import type { JsonObject } from './jws.ts';

export interface EarSubject {
  /** Names the attester among those of the result. */
  readonly name: string;
  /** Of its appraisal, whole. */
  readonly checks: readonly Check[];
  /** Under which policy it was judged; undefined when no policy was authentic. */
  readonly policyId: string | undefined;
  /** While the result may be used; absent when nothing in the evidence was dated. */
  readonly counts?: EarPeriod | undefined;
  /** What else the verifier tells of the evidence. */
  readonly details: JsonObject;
}

export interface EarPeriod {
  /** As of when the attester was judged, Unix milliseconds. */
  readonly fromMs: number;
  /** Until when its evidence counts; undefined when no policy says so. */
  readonly untilMs: number | undefined;
}

export interface EarVerifier {
  /** Who made the verifier, and which build it is (AR4SI 3.3). */
  readonly developer: string;
  readonly build: string;
}

/**
 * The claims set of a result about one attester, issued at `issuedMs` (Unix milliseconds). It says nothing
 * of any time but the one that it was judged as of: a result about an archive has expired when it is made.
 */
export const earClaims = (
  { name, checks, policyId, counts, details }: EarSubject,
  verifier: EarVerifier,
  issuedMs: number,
): Json => ({
  eat_profile: VERAISON_PROFILE,
  iat: seconds(issuedMs),
  ...(counts === undefined ? {} : datesOf(counts)),
  'ear.verifier-id': { ...verifier },
  submods: {
    [name]: {
      'ear.status': verdictOf(checks),
      'ear.trustworthiness-vector': { ...trustVector(checks) },
      ...(policyId === undefined ? {} : { 'ear.appraisal-policy-id': policyId }),
      'ear.tidelock.appraisal': {
        ...details,
        checks: checks.map(({ name: check, result, text }) => ({ name: check, result, text })),
      },
    },
  },
});

/** `nbf` and `exp` (RFC 7519 4.1): at least the second that was judged, so that an archive can be read. */
function datesOf({ fromMs, untilMs }: EarPeriod): { readonly nbf: number; readonly exp?: number } {
  const nbf = seconds(fromMs);
  return untilMs === undefined ? { nbf } : { nbf, exp: Math.max(seconds(untilMs), nbf + 1) };
}

const seconds = (unixMs: number): number => Math.floor(unixMs / 1000);

/**
 * A compact JSON Web Token by the Ed25519 half of `key` (RFC 7515 7.1, RFC 8037 3.1): the one that every
 * reader of results knows. Whoever needs ML-DSA-65 as well has the report, which carries both.
 */
export function signEar(claims: Json, key: SigningKey): string {
  const header = jcs({ alg: 'EdDSA', kid: key.keyId, typ: 'JWT' });
  const signed = `${b64url(header)}.${b64url(jcs(claims))}`;
  return `${signed}.${b64url(key.ed25519(utf8(signed), 'other'))}`;
}
