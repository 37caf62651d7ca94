// Presence (PROTOCOL 4): once a period each node says which chains it has, proves it by a check that
// only a holder can compute, and names its next one-use seal key.
import { z } from 'zod';
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { b64Text, chainId, nodeName, parseAs, sid, slot } from '#agent/base/schema.ts';
import {
  ED25519_ONLY,
  signDocument,
  verifyDocument,
  type SignedDocument,
} from '#agent/base/signed.ts';

const KIND = 'presence';
/** Only the newest few are announced: older ones were confirmed before. */
export const ANNOUNCED_CHAINS = 4;

export const MAX_WITHDRAWN_CHARS = 1000;

const schema = z.strictObject({
  v: z.literal(1),
  node: nodeName,
  sid,
  /** Never goes back within a sid. */
  seq: z.int().min(0),
  /** X-Wing public key that the next sealed message must use. */
  nextSeal: b64Text(1216),
  /** `slot` is the chain's own, since chains may count by different periods. */
  chains: z.array(z.strictObject({ chainId, slot, check: b64Text(8) })).max(ANNOUNCED_CHAINS),
  /** Wall clock minus slewed clock, milliseconds. */
  clockOffsetMs: z.number(),
  hop: z.int().min(0).max(3),
  /** Why this node withdraws its statement: its own evidence fails. Peers drop it at once. */
  withdrawn: z.string().min(1).max(MAX_WITHDRAWN_CHARS).optional(),
});

export type Presence = z.infer<typeof schema>;

export const signPresence = (presence: Presence, key: SigningKey): SignedDocument =>
  signDocument(KIND, presence, key, ED25519_ONLY);

const claimSchema = z.object({
  payload: z.looseObject({ node: z.string().max(253), sid: z.string().max(32) }),
});

/** Who claims to speak, to find the key; nothing else is read before the signature is checked. */
export const claimedSender = (document: unknown): { node: string; sid: string } | undefined =>
  claimSchema.safeParse(document).data?.payload;

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const openPresence = (document: unknown, signer: SigningPublic): Presence =>
  parseAs(schema, verifyDocument(document, KIND, [signer], ED25519_ONLY), {
    code: 'DOCUMENT_MALFORMED',
    op: 'presence.parse',
    what: 'presence',
    hint: 'The peer runs an incompatible version; upgrade agents one minor version at a time.',
  });
