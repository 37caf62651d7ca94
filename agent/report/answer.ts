// What `GET /report` answers: a report signed for this answer, and the owners under which its agent
// judges others. The reader verifies it like any other report.
import {
  decodeSigningPublic,
  encodeSigningPublic,
  type SigningPublic,
} from '#agent/base/asymmetric.ts';
import { b64url, fromB64url } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { b64Text } from '#agent/base/schema.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { z } from 'zod';

const SIGN_BYTES = 32 + 1952;

/** Schema of the answer; the report in it is judged by attest/reportOpen.ts. */
export const reportAnswerSchema = z.object({
  owners: z.array(b64Text(SIGN_BYTES)).max(16),
  report: z.json().optional(),
  /** Why there is no report. */
  reason: z.string().optional(),
});

export interface ReportAnswer {
  /** Public halves as in a statement's `sign`, base64url. */
  readonly owners: readonly string[];
  readonly report?: Json | undefined;
  readonly reason?: string | undefined;
}

/** The answer of an agent that pins `owners`. */
export const reportAnswer = (
  owners: readonly SigningPublic[],
  told: { readonly report: SignedDocument } | { readonly reason: string },
): ReportAnswer => ({
  owners: owners.map((owner) => b64url(encodeSigningPublic(owner))),
  ...told,
});

/** The owners in an answer. */
export const ownersIn = ({ owners }: ReportAnswer): SigningPublic[] =>
  owners.map((owner) => decodeSigningPublic(fromB64url(owner)));
