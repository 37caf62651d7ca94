// Schema pieces that several boundaries share, and the one way a failed parse becomes an error.
import { z } from 'zod';
import {
  isChainId,
  isNodeName,
  isSid,
  isSpiffeId,
  type ChainId,
  type NodeName,
  type Sid,
  type Slot,
  type SpiffeId,
} from './brands.ts';
import type { ErrorCode } from './codes.ts';
import { TidelockError } from './errors.ts';

/** base64url without padding, and only the one text that encoding gives (RFC 4648 3.5 and 5). */
const B64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;

/** base64url text of exactly `length` bytes, or of at most `max`. */
export const b64Text = (length: number): z.ZodString =>
  z
    .string()
    .regex(B64URL)
    .length(Math.ceil((length * 4) / 3));
export const b64TextMax = (maxBytes: number): z.ZodString =>
  z
    .string()
    .regex(B64URL)
    .max(Math.ceil((maxBytes * 4) / 3));

export const nodeName = z.custom<NodeName>(
  (v) => typeof v === 'string' && isNodeName(v),
  'must be a DNS name in lower case, at most 253 characters',
);
export const spiffeId = z.custom<SpiffeId>(
  (v) => typeof v === 'string' && isSpiffeId(v),
  'must be a SPIFFE ID such as spiffe://example.org/cluster/namespace/account',
);
export const sid = z.custom<Sid>((v) => typeof v === 'string' && isSid(v), 'must be 32 hex digits');
export const chainId = z.custom<ChainId>(
  (v) => typeof v === 'string' && isChainId(v),
  'must be 32 hex digits',
);
export const slot = z.custom<Slot>(
  (v) => typeof v === 'number' && Number.isSafeInteger(v) && v >= 0,
  'must be a non-negative integer',
);

/** All problems of a failed parse, each as `path: what`. */
export const problemsOf = (error: z.ZodError): string[] =>
  error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`);

/**
 * `value` as the schema's type.
 * Errors: `code` with every problem in the message, and `hint`.
 */
export function parseAs<T>(
  schema: z.ZodType<T>,
  value: unknown,
  failure: {
    readonly code: ErrorCode;
    readonly op: string;
    readonly what: string;
    readonly hint: string;
  },
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new TidelockError(failure.code, {
    op: failure.op,
    message: `Cannot read ${failure.what}: ${problemsOf(result.error).join('; ')}`,
    hint: failure.hint,
  });
}
