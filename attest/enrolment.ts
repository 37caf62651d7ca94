// Enrolment: the owner-signed word that this node name belongs to this TPM, this attestation key and
// these reference values (PROTOCOL 3.1). Nothing else links the key to the TPM.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { nodeName } from '#agent/base/schema.ts';
import { z } from 'zod';
import { hexText, IMA_PCR, policyBank, readOwned, shortName, unixMs } from './owned.ts';

export const ENROLMENT_KIND = 'enrolment';

/** Values that registers must have. */
export const referenceSchema = z.strictObject({
  bank: policyBank,
  /** Index to hex value. PCR 10 has none: IMA extends it all the time. */
  pcrs: z
    .record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/), z.string().regex(/^[0-9a-f]{64,128}$/))
    .refine((pcrs) => !(String(IMA_PCR) in pcrs), 'PCR 10 cannot have a reference value'),
});

export const enrolmentSchema = z.strictObject({
  v: z.literal(1),
  domain: shortName,
  cluster: shortName,
  node: nodeName,
  /** SHA-256 of the DER SubjectPublicKeyInfo of the EK certificate. */
  ekDigest: hexText(32),
  /** TPM Name of the attestation key: nameAlg || digest. */
  akName: hexText(34),
  reference: referenceSchema,
  issuedAt: unixMs,
});

export type Enrolment = z.infer<typeof enrolmentSchema>;

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const readEnrolment = (document: unknown, owners: readonly SigningPublic[]): Enrolment =>
  readOwned(document, ENROLMENT_KIND, owners, enrolmentSchema);
