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
  /** What else the verifier tells of the evidence. */
  readonly details: JsonObject;
}

export interface EarVerifier {
  /** Who made the verifier, and which build it is (AR4SI 3.3). */
  readonly developer: string;
  readonly build: string;
}

/** The claims set of a result about one attester, issued at `issuedMs` (Unix milliseconds). */
export const earClaims = (
  { name, checks, policyId, details }: EarSubject,
  verifier: EarVerifier,
  issuedMs: number,
): Json => ({
  eat_profile: VERAISON_PROFILE,
  iat: Math.floor(issuedMs / 1000),
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

/**
 * A compact JSON Web Token by the Ed25519 half of `key` (RFC 7515 7.1, RFC 8037 3.1): the one that every
 * reader of results knows. Whoever needs ML-DSA-65 as well has the report, which carries both.
 */
export function signEar(claims: Json, key: SigningKey): string {
  const header = jcs({ alg: 'EdDSA', kid: key.keyId, typ: 'JWT' });
  const signed = `${b64url(header)}.${b64url(jcs(claims))}`;
  return `${signed}.${b64url(key.ed25519(utf8(signed), 'other'))}`;
}
