// What the documents that owners sign have in common: schema pieces, and reading one that is
// authentic before it is parsed.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { parseAs } from '#agent/base/schema.ts';
import { verifyDocument } from '#agent/base/signed.ts';
import { z } from 'zod';

/** Banks that may decide anything; SHA-1 is not among them (it collides). */
export const policyBank = z.enum(['sha256', 'sha384', 'sha512']);
export type PolicyBank = z.infer<typeof policyBank>;

/** IMA extends it all the time, so that it is quoted but has no fixed value. */
export const IMA_PCR = 10;

export const pcrIndex = z.int().min(0).max(23);
/** Unix milliseconds, as far as a Date goes (ECMA-262 21.4.1.1). */
export const unixMs = z.int().min(0).max(8_640_000_000_000_000);
/** A trust domain (SPIFFE ID 2.1) or the name of a cluster in it. */
export const shortName = z.string().regex(/^[a-z0-9._-]{1,255}$/);
/** Lower-case hex of exactly `lenBytes`. */
export const hexText = (lenBytes: number): z.ZodString =>
  z
    .string()
    .regex(/^[0-9a-f]*$/)
    .length(lenBytes * 2);

/**
 * The payload of an owner-signed document of `kind`.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID.
 */
export function readOwned<T>(
  document: unknown,
  kind: string,
  owners: readonly SigningPublic[],
  schema: z.ZodType<T>,
): T {
  return parseAs(schema, verifyDocument(document, kind, owners), {
    code: 'DOCUMENT_MALFORMED',
    op: `${kind}.read`,
    what: `${kind} document`,
    hint: 'It is signed by an owner, yet does not fit this version of tidelock: sign it again with this version.',
  });
}
