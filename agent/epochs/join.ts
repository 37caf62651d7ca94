// What a node and the conductor say to each other on `tl.<cluster>.join.<N>` (PROTOCOL 3.2): a
// challenge, then admission, or chains sealed anew for one that lost them.
import { z } from 'zod';
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { b64Text, nodeName, parseAs, sid } from '#agent/base/schema.ts';
import {
  ED25519_ONLY,
  signDocument,
  verifyDocument,
  type SignedDocument,
} from '#agent/base/signed.ts';

const KIND = 'join';
const HEX32 = z.string().regex(/^[0-9a-f]{64}$/);

const challengeRequest = z.strictObject({
  v: z.literal(1),
  ask: z.literal('challenge'),
  node: nodeName,
});

const joinSchema = z.strictObject({
  v: z.literal(1),
  /** `admit`: take this statement into the roster. `resync`: seal the live chains again. */
  ask: z.enum(['admit', 'resync']),
  node: nodeName,
  sid,
  /** Public half of the seal key to use for the answer. */
  seal: b64Text(1216),
  /** Whether chains are wanted with the answer; a renewal has them already. */
  needsChains: z.boolean(),
});

const challengeAnswer = z.strictObject({
  v: z.literal(1),
  conductor: z.strictObject({ node: nodeName, sid }),
  /** Newest record hash, or the policy's before the first record. */
  basis: HEX32,
  random: b64Text(32),
});

const joinAnswer = z.strictObject({
  v: z.literal(1),
  ok: z.boolean(),
  /** For the operator, when refused. */
  reason: z.string().max(2000),
  /** A sealed message (sealed.ts), when chains were wanted and there are any. */
  sealed: z.unknown().optional(),
});

export type JoinRequest = z.infer<typeof joinSchema>;
export type ChallengeAnswer = z.infer<typeof challengeAnswer>;
export type JoinAnswer = z.infer<typeof joinAnswer>;

export const isChallengeRequest = (value: unknown): value is z.infer<typeof challengeRequest> =>
  challengeRequest.safeParse(value).success;

export const readChallengeAnswer = (value: unknown): ChallengeAnswer | undefined =>
  challengeAnswer.safeParse(value).data;

export const readJoinAnswer = (value: unknown): JoinAnswer | undefined =>
  joinAnswer.safeParse(value).data;

export const signJoin = (request: JoinRequest, key: SigningKey): SignedDocument =>
  signDocument(KIND, request, key, ED25519_ONLY, 'statements');

const claimSchema = z.object({
  kind: z.literal(KIND),
  payload: joinSchema.pick({ node: true, sid: true }).loose(),
});

/** Who claims to ask, to find the statement whose key must have signed. */
export const claimedJoiner = (document: unknown): Pick<JoinRequest, 'node' | 'sid'> | undefined =>
  claimSchema.safeParse(document).data?.payload;

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const openJoin = (document: unknown, signer: SigningPublic): JoinRequest =>
  parseAs(joinSchema, verifyDocument(document, KIND, [signer], ED25519_ONLY, 'statements'), {
    code: 'DOCUMENT_MALFORMED',
    op: 'join.parse',
    what: 'join request',
    hint: 'The node runs an incompatible version; upgrade agents one minor version at a time.',
  });
