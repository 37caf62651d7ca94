// What one node says to another on `tl.<cluster>.meet.<N>.<F>` so that both follow each other (PROTOCOL 3.9): that it
// uses it as a peer, signed under the statement that the roster lists.
import { z } from 'zod';
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { nodeName, parseAs, sid, slot } from '#agent/base/schema.ts';
import {
  ED25519_ONLY,
  signDocument,
  verifyDocument,
  type SignedDocument,
} from '#agent/base/signed.ts';

const KIND = 'meet';

const meetSchema = z.strictObject({
  v: z.literal(1),
  node: nodeName,
  sid,
  /** Whom it is said to. */
  to: nodeName,
  slot,
});

const answerSchema = z.strictObject({
  v: z.literal(1),
  ok: z.boolean(),
  /** For the operator, where it is not followed. */
  reason: z.string().max(2000),
});

export type Meet = z.infer<typeof meetSchema>;
export type MeetAnswer = z.infer<typeof answerSchema>;

export const signMeet = (meet: Meet, key: SigningKey): SignedDocument =>
  signDocument(KIND, meet, key, ED25519_ONLY, 'statements');

const claimSchema = z.object({
  kind: z.literal(KIND),
  payload: meetSchema.pick({ node: true, sid: true }).loose(),
});

/** Who claims to speak, to find the key; nothing else is read before the signature is checked. */
export const claimedMeeter = (document: unknown): Pick<Meet, 'node' | 'sid'> | undefined =>
  claimSchema.safeParse(document).data?.payload;

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const openMeet = (document: unknown, signer: SigningPublic): Meet =>
  parseAs(meetSchema, verifyDocument(document, KIND, [signer], ED25519_ONLY, 'statements'), {
    code: 'DOCUMENT_MALFORMED',
    op: 'meet.parse',
    what: 'request to meet',
    hint: 'The peer runs an incompatible version; upgrade agents one minor version at a time.',
  });

export const readMeetAnswer = (value: unknown): MeetAnswer | undefined =>
  answerSchema.safeParse(value).data;
