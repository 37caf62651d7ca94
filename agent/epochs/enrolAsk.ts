// What a node that no owner has enrolled and a member say to each other on `tl.<cluster>.enrol.<N>.<F>` (PROTOCOL 3.10):
// a credential to open, then the enrolment to endorse. Unsigned: the asker has no key yet that anybody knows.
import { z } from 'zod';
import { b64Text, b64TextMax, nodeName } from '#agent/base/schema.ts';
import { MAX_CERTIFICATE_BYTES } from '#attest/ek.ts';
import { endorsementSchema } from '#attest/endorsed.ts';
import { enrolmentSchema } from '#attest/enrolment.ts';

/** TPM2B_PUBLIC of an RSA 4096 key is below 600 bytes, a TPM2B_ENCRYPTED_SECRET below 520. */
const MAX_TPM_BYTES = 2048;
/** Of a credential, before it is known whether its TPM opens it. */
export const SECRET_BYTES = 32;

const credentialAskSchema = z.strictObject({
  v: z.literal(1),
  ask: z.literal('credential'),
  node: nodeName,
  /** Contents of the NV index, DER first. */
  ekCertificate: b64TextMax(MAX_CERTIFICATE_BYTES),
  /** TPM2B_PUBLIC of the attestation key. */
  akPublic: b64TextMax(MAX_TPM_BYTES),
});

const endorseAskSchema = z.strictObject({
  v: z.literal(1),
  ask: z.literal('endorse'),
  node: nodeName,
  /** What the TPM found in the credential. */
  secret: b64Text(SECRET_BYTES),
  payload: enrolmentSchema,
});

const askSchema = z.discriminatedUnion('ask', [credentialAskSchema, endorseAskSchema]);

const reason = z.string().max(2000);

const credentialAnswerSchema = z.strictObject({
  v: z.literal(1),
  ok: z.boolean(),
  /** For the operator, where there is none. */
  reason,
  credential: z
    .strictObject({
      /** TPM2B_ID_OBJECT. */
      credentialBlob: b64TextMax(MAX_TPM_BYTES),
      /** TPM2B_ENCRYPTED_SECRET. */
      encryptedSecret: b64TextMax(MAX_TPM_BYTES),
    })
    .optional(),
});

const endorseAnswerSchema = z.strictObject({
  v: z.literal(1),
  ok: z.boolean(),
  reason,
  endorsement: endorsementSchema.optional(),
});

export type CredentialAsk = z.infer<typeof credentialAskSchema>;
export type EndorseAsk = z.infer<typeof endorseAskSchema>;
export type EnrolAsk = z.infer<typeof askSchema>;
export type CredentialAnswer = z.infer<typeof credentialAnswerSchema>;
export type EndorseAnswer = z.infer<typeof endorseAnswerSchema>;

export const readEnrolAsk = (value: unknown): EnrolAsk | undefined =>
  askSchema.safeParse(value).data;

export const readCredentialAnswer = (value: unknown): CredentialAnswer | undefined =>
  credentialAnswerSchema.safeParse(value).data;

export const readEndorseAnswer = (value: unknown): EndorseAnswer | undefined =>
  endorseAnswerSchema.safeParse(value).data;
