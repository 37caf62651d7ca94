// The reference policy: what owners expect a node to have measured while it booted, as ordered components
// with alternatives, like systemd-pcrlock's. It is data; match.ts holds a boot against it.
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { parseAs, problemsOf } from '#agent/base/schema.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { IMA_PCR, pcrIndex, policyBank, readOwned, shortName, unixMs } from '#attest/owned.ts';
import { snpPolicySchema } from '#attest/snp/policy.ts';
import { tdxPolicySchema } from '#attest/tdx/policy.ts';
import { z } from 'zod';

/** `kind` of the signed document. */
export const REFERENCE_KIND = 'reference-policy';

const DIGEST_BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const;

const words = z.string().max(1024);
const digestHex = z.string().regex(/^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/);

const eventSchema = z.strictObject({
  pcr: pcrIndex.refine((pcr) => pcr !== IMA_PCR, 'PCR 10 moves with every file (IMA)'),
  /** As the golden node's log named it; for readers alone, nothing is decided on it. */
  type: words.optional(),
  /** By bank; the policy's own must be there. */
  digests: z.partialRecord(policyBank, digestHex),
  /** What it was, in words. */
  about: words,
});

const alternativeSchema = z.strictObject({
  /** Unique in its component. */
  id: z.string().regex(/^[\w.-]{1,64}$/),
  note: words,
  /** Announced: it counts from then on (Unix milliseconds). Absent: always. */
  notBefore: unixMs.optional(),
  /** In the order of the log. Empty: the component may be absent. */
  events: z.array(eventSchema).max(8192),
});

const componentSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,64}$/),
  alternatives: z.array(alternativeSchema).min(1).max(256),
});

/** JSON that `schema` takes, kept as it was written and signed. */
const fitting = (schema: z.ZodType) =>
  z.json().superRefine((value, context) => {
    const { error } = schema.safeParse(value);
    for (const message of error === undefined ? [] : problemsOf(error)) {
      context.addIssue({ code: 'custom', message });
    }
  });

const referencePolicySchema = z
  .strictObject({
    v: z.literal(1),
    name: shortName,
    issuedAt: unixMs,
    bank: policyBank,
    /** By index: a difference makes a node contraindicated, or a warning. */
    registers: z
      .record(z.string().regex(/^(?:[0-9]|1[1-9]|2[0-3])$/), z.enum(['enforce', 'warn']))
      .refine((registers) => Object.keys(registers).length > 0, 'it asks for no register at all'),
    /** Per register the events of a boot must be those of one alternative of each, in this order. */
    components: z.array(componentSchema).max(512),
    /** TPM firmware, as TPMS_ATTEST has it: 16 hex digits. Absent: any. */
    firmwareVersions: z
      .array(z.string().regex(/^[0-9a-f]{16}$/))
      .min(1)
      .max(256)
      .optional(),
    /** What is asked of SEV-SNP and TDX guests: TCB floors, measurements. */
    snp: fitting(snpPolicySchema).optional(),
    tdx: fitting(tdxPolicySchema).optional(),
  })
  .superRefine(({ bank, components }, context) => {
    const complain = (message: string): void => context.addIssue({ code: 'custom', message });
    if (new Set(components.map(({ name }) => name)).size !== components.length) {
      complain('two components have the same name');
    }
    for (const { name, alternatives } of components) {
      if (new Set(alternatives.map(({ id }) => id)).size !== alternatives.length) {
        complain(`two alternatives of ${name} have the same id`);
      }
      const digests = alternatives.flatMap(({ events }) => events.map((event) => event.digests));
      if (digests.some((digest) => digest[bank]?.length !== DIGEST_BYTES[bank] * 2)) {
        complain(`an event of ${name} has no ${bank} digest`);
      }
    }
  });

export type ReferencePolicy = z.infer<typeof referencePolicySchema>;
export type PolicyComponent = ReferencePolicy['components'][number];
export type PolicyAlternative = PolicyComponent['alternatives'][number];
export type PolicyEvent = PolicyAlternative['events'][number];
export type RegisterMode = ReferencePolicy['registers'][string];

/** Errors: Error (zod) when the policy contradicts itself. */
export const signReferencePolicy = (
  policy: ReferencePolicy,
  owner: SigningKey,
): SignedDocument<ReferencePolicy> =>
  signDocument(REFERENCE_KIND, referencePolicySchema.parse(policy), owner);

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID; USAGE without owners. */
export function readReferencePolicy(
  document: unknown,
  owners: readonly SigningPublic[],
): ReferencePolicy {
  if (owners.length === 0) {
    throw new TidelockError('USAGE', {
      op: 'reference-policy.read',
      message: 'Cannot accept reference policy: no owner is named whose signature would count',
      hint: 'Name the one who signed it: --owner owner.pub.',
    });
  }
  if (isDraft(document)) {
    throw new TidelockError('DOCUMENT_MALFORMED', {
      op: 'reference-policy.read',
      message: 'Cannot accept reference policy: it is a draft, which nobody signed yet',
      hint: 'Read it, then sign it: tidelock policy sign DRAFT --owner-key owner.key --out FILE.',
    });
  }
  return readOwned(document, REFERENCE_KIND, owners, referencePolicySchema);
}

const isDraft = (document: unknown): boolean =>
  typeof document === 'object' && document !== null && 'components' in document;

/** A policy that nobody signed yet. Errors: DOCUMENT_MALFORMED. */
export const readPolicyDraft = (draft: unknown): ReferencePolicy =>
  parseAs(referencePolicySchema, draft, {
    code: 'DOCUMENT_MALFORMED',
    op: 'reference-policy.read',
    what: 'reference policy',
    hint: 'A draft is made by tidelock policy from-evidence; docs/evidence/policy.md describes each field.',
  });

/** Registers that the policy speaks of, rising, each with what a difference means. */
export const registersOf = ({ registers }: ReferencePolicy): [pcr: number, mode: RegisterMode][] =>
  Object.entries(registers)
    .map(([pcr, mode]): [number, RegisterMode] => [Number(pcr), mode])
    .sort(([a], [b]) => a - b);
