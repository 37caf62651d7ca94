// Revocation: the owner-signed word that what was enrolled for a node up to a moment counts no more, for good or,
// in a quarantine, for a time (PROTOCOL 3.8). A later enrolment brings the node back.
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { nodeName } from '#agent/base/schema.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { z } from 'zod';
import type { Enrolment } from './enrolment.ts';
import { readOwned, shortName, unixMs } from './owned.ts';

const REVOCATION_KIND = 'revocation';
export const MAX_REASON_CHARS = 1000;

export const revocationSchema = z
  .strictObject({
    v: z.literal(1),
    domain: shortName,
    cluster: shortName.max(63),
    node: nodeName,
    /** For people. */
    reason: z.string().min(1).max(MAX_REASON_CHARS),
    issuedAt: unixMs,
    /** Makes it a quarantine, which ends then; one that ends as it is issued ends the one before. */
    until: unixMs.optional(),
    /** In a quarantine: what was enrolled up to then stays void, since an owner has revoked the node before. */
    revokedAt: unixMs.optional(),
  })
  .refine(({ issuedAt, until }) => until === undefined || until >= issuedAt, {
    error: 'it ends before it begins',
    path: ['until'],
  })
  .refine(({ until, revokedAt }) => revokedAt === undefined || until !== undefined, {
    error: 'only a quarantine has one',
    path: ['revokedAt'],
  });

export type Revocation = z.infer<typeof revocationSchema>;

export const signRevocation = (
  revocation: Revocation,
  owner: SigningKey,
): SignedDocument<Revocation> => signDocument(REVOCATION_KIND, revocation, owner);

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const readRevocation = (document: unknown, owners: readonly SigningPublic[]): Revocation =>
  readOwned(document, REVOCATION_KIND, owners, revocationSchema);

/** Up to when enrolments are void for good, unix milliseconds; undefined: none are. */
export const voidUpTo = ({ issuedAt, until, revokedAt }: Revocation): number | undefined =>
  until === undefined ? issuedAt : revokedAt;

/** Whether it holds at `nowMs` up to its own `issuedAt`; a quarantine that is over does not. */
export const isInForce = ({ until }: Revocation, nowMs: number): boolean =>
  until === undefined || nowMs < until;

/** Up to when enrolments are void at `nowMs`, unix milliseconds; undefined: none are. */
export function voidNow(revocation: Revocation, nowMs: number): number | undefined {
  const forGood = voidUpTo(revocation);
  return isInForce(revocation, nowMs) ? Math.max(revocation.issuedAt, forGood ?? -1) : forGood;
}

/**
 * Whether `a` takes the place of `b`, of the same node: no quarantine takes the place of a revocation that it does not
 * repeat, so that its end brings nobody back whom an owner has put out for good.
 */
export const isNewer = (a: Revocation, b: Revocation): boolean => {
  const [ofA, ofB] = [orderOf(a), orderOf(b)];
  const place = ofA.findIndex((value, i) => value !== ofB[i]);
  return place < 0 ? a.reason > b.reason : (ofA[place] ?? 0) > (ofB[place] ?? 0);
};

const orderOf = (revocation: Revocation): readonly number[] => [
  voidUpTo(revocation) ?? -1,
  revocation.issuedAt,
  revocation.until ?? Infinity,
];

/** Whether `revocation` ends what `enrolment` says. Both are of one node, domain and cluster. */
export const isRevoked = (
  { issuedAt }: Pick<Enrolment, 'issuedAt'>,
  revocation: Revocation | undefined,
  nowMs: number,
): boolean => revocation !== undefined && issuedAt <= (voidNow(revocation, nowMs) ?? -1);
