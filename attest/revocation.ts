// Revocation: the owner-signed word that what was enrolled for a node up to a moment counts no more
// (PROTOCOL 3.8). A later enrolment brings the node back.
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { nodeName } from '#agent/base/schema.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { z } from 'zod';
import type { Enrolment } from './enrolment.ts';
import { readOwned, shortName, unixMs } from './owned.ts';

const REVOCATION_KIND = 'revocation';
export const MAX_REASON_CHARS = 1000;

export const revocationSchema = z.strictObject({
  v: z.literal(1),
  domain: shortName,
  cluster: shortName.max(63),
  node: nodeName,
  /** For people. */
  reason: z.string().min(1).max(MAX_REASON_CHARS),
  issuedAt: unixMs,
});

export type Revocation = z.infer<typeof revocationSchema>;

export const signRevocation = (
  revocation: Revocation,
  owner: SigningKey,
): SignedDocument<Revocation> => signDocument(REVOCATION_KIND, revocation, owner);

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const readRevocation = (document: unknown, owners: readonly SigningPublic[]): Revocation =>
  readOwned(document, REVOCATION_KIND, owners, revocationSchema);

/** Whether `revocation` ends what `enrolment` says. Both are of one node, domain and cluster. */
export const isRevoked = (
  { issuedAt }: Pick<Enrolment, 'issuedAt'>,
  revocation: Revocation | undefined,
): boolean => revocation !== undefined && issuedAt <= revocation.issuedAt;
