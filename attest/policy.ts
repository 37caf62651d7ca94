// The attestation policy: what owners ask of every node, signed by them. It says which registers must
// hold their enrolled values; the values themselves are in each node's enrolment.
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { z } from 'zod';
import { IMA_PCR, pcrIndex, policyBank, readOwned, shortName, unixMs } from './owned.ts';

export const POLICY_KIND = 'attestation-policy';

const registers = z
  .array(pcrIndex)
  .max(24)
  .refine((list) => new Set(list).size === list.length, 'names a PCR twice')
  .refine(
    (list) => !list.includes(IMA_PCR),
    'PCR 10 moves with every file (IMA): it cannot be fixed',
  );

export const policySchema = z
  .strictObject({
    v: z.literal(1),
    domain: shortName,
    cluster: shortName,
    issuedAt: unixMs,
    bank: policyBank,
    /** A difference makes the node contraindicated. */
    enforce: registers,
    /** A difference makes it a warning. */
    warn: registers,
    /** CHIPS registry ids that every member must know (PROTOCOL 4). */
    algorithms: z.array(z.int().min(0).max(0xffff)).min(1).max(64),
    /** Bounds of an epoch record's periodMs. */
    periodMs: z.strictObject({ min: z.int().min(100), max: z.int().max(600_000) }),
    /** How long one attestation counts. */
    lifetimeMs: z.int().min(1000).max(86_400_000),
    /** How long chains go on ticking without the bus (G7). */
    maxStalenessMs: z.int().min(1000).max(86_400_000),
  })
  .refine((p) => p.enforce.length + p.warn.length > 0, 'it asks for no PCR at all')
  .refine((p) => !p.enforce.some((pcr) => p.warn.includes(pcr)), 'a PCR is both enforce and warn')
  .refine((p) => p.periodMs.min <= p.periodMs.max, 'periodMs.min is over periodMs.max');

export type AttestationPolicy = z.infer<typeof policySchema>;

/** What an owner must decide; the rest has defaults. */
export type PolicyChoices = Pick<
  AttestationPolicy,
  'domain' | 'cluster' | 'issuedAt' | 'algorithms'
> &
  Partial<Omit<AttestationPolicy, 'v'>>;

const DEFAULTS = {
  v: 1,
  bank: 'sha256',
  enforce: [0, 1, 2, 3, 4, 5, 6, 7, 11],
  warn: [],
  periodMs: { min: 5000, max: 30_000 },
  lifetimeMs: 600_000,
  maxStalenessMs: 1_800_000,
} as const;

/** Errors: Error (zod) when the choices contradict each other. */
export const signPolicy = (
  choices: PolicyChoices,
  owner: SigningKey,
): SignedDocument<AttestationPolicy> =>
  signDocument(POLICY_KIND, policySchema.parse({ ...DEFAULTS, ...choices }), owner);

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const readPolicy = (
  document: unknown,
  owners: readonly SigningPublic[],
): AttestationPolicy => readOwned(document, POLICY_KIND, owners, policySchema);

/** Registers that evidence must quote, rising: those with reference values, and IMA's. */
export const quotedPcrs = ({
  enforce,
  warn,
}: Pick<AttestationPolicy, 'enforce' | 'warn'>): number[] =>
  [...new Set([...enforce, ...warn, IMA_PCR])].sort((a, b) => a - b);
