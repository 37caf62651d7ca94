// The claims of an EAT attestation result (draft-ietf-rats-ear 3), in the labels of the drafts, those that
// Veraison and Trustee write among them. It reads; what a result is worth is for judge.ts.
import type { TrustClaim, Verdict } from '#attest/check.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { z } from 'zod';
import { dateClaims, type TokenDates } from './dates.ts';
import { isObject, type JsonObject } from './jws.ts';

/** draft-fv-rats-ear, and draft-ietf-rats-ear until 02: what libraries of EAR write and read. */
export const VERAISON_PROFILE = 'tag:github.com,2023:veraison/ear';
const KNOWN_PROFILES: readonly string[] = [
  VERAISON_PROFILE,
  'tag:github.com,2024:confidential-containers/Trustee', // the same claims with other evidence
  'tag:ietf.org,2026:rats/ear#03', // draft-ietf-rats-ear 03
];

export interface Submodule {
  readonly name: string;
  readonly status: Verdict;
  /** Values of AR4SI, -128 to 127, of the claims that are there. */
  readonly vector: ReadonlyMap<TrustClaim, number>;
}

export interface EarClaims {
  readonly profile: string;
  readonly profileKnown: boolean;
  readonly verifier: string;
  readonly dates: TokenDates;
  /** Of the whole; undefined where only the submodules have one. */
  readonly status: Verdict | undefined;
  readonly submodules: readonly Submodule[];
}

const MAX_SUBMODULES = 256;

/** Names in JSON, and the integers that stand for them in CBOR and in older tokens. */
const status = z.union([
  z.enum(['none', 'affirming', 'warning', 'contraindicated']),
  z.literal([0, 2, 32, 96]).transform((tier): Verdict => TIER_NAMES[tier]),
]);
const TIER_NAMES = { 0: 'none', 2: 'affirming', 32: 'warning', 96: 'contraindicated' } as const;

const value = z.int().min(-128).max(127).optional();
const vector = z.strictObject({
  'instance-identity': value,
  configuration: value,
  executables: value,
  'file-system': value,
  hardware: value,
  'runtime-opaque': value,
  'storage-opaque': value,
  'sourced-data': value,
});

const submodule = z.looseObject({
  ear_status: status,
  ear_trustworthiness_vector: vector.optional(),
  /** An attester within one (RFC 9711 4.2.18) could be worse than what it is in says. */
  submods: z.never('attesters within attesters are not read').optional(),
});

const ear = z.looseObject({
  eat_profile: z.string().min(1).max(512),
  ...dateClaims,
  iat: dateClaims.iat.unwrap(),
  ear_verifier_id: z.looseObject({ developer: z.string().max(512), build: z.string().max(512) }),
  ear_status: status.optional(),
  submods: z
    .record(z.string(), z.preprocess(renamed, submodule))
    .refine((submods) => Object.keys(submods).length > 0, 'has no submodule'),
});

/** `ear.verifier-id` of the older drafts is `ear_verifier_id` of the newer; both at once are none. */
function renamed(object: unknown): unknown {
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return object;
  const members = Object.entries(object).map(
    ([name, member]) =>
      [name.startsWith('ear.') ? name.replaceAll(/[.-]/g, '_') : name, member] as const,
  );
  const names = new Set(members.map(([name]) => name));
  return names.size === members.length ? Object.fromEntries(members) : undefined;
}

/** The result that `payload` is, or every way in which it is none. Never throws. */
export function readEarClaims(payload: JsonObject): EarClaims | { readonly problems: string[] } {
  const names = Object.keys(isObject(payload['submods']) ? payload['submods'] : {});
  if (names.length > MAX_SUBMODULES || names.includes('__proto__')) {
    // Zod would look at each of them, and leave out one of that name.
    return {
      problems: [`submods: more than ${MAX_SUBMODULES}, or one with a name of no attester`],
    };
  }
  const read = ear.safeParse(renamed(payload));
  if (!read.success) return { problems: problemsOf(read.error) };
  const { eat_profile, iat, exp, nbf, ear_verifier_id, ear_status, submods } = read.data;
  return {
    profile: eat_profile,
    profileKnown: KNOWN_PROFILES.includes(eat_profile),
    verifier: `${ear_verifier_id.build} by ${ear_verifier_id.developer}`,
    dates: { iat, nbf, exp },
    status: ear_status,
    submodules: Object.entries(submods).map(([name, submod]) => ({
      name,
      status: submod.ear_status,
      vector: vectorOf(submod.ear_trustworthiness_vector ?? {}),
    })),
  };
}

const vectorOf = (claims: z.infer<typeof vector>): Submodule['vector'] =>
  new Map(
    Object.entries(claims).flatMap(([claim, claimed]) =>
      claimed === undefined ? [] : [[claim as TrustClaim, claimed] as const],
    ),
  );
