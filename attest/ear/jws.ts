// A JSON Web Signature in its compact form (RFC 7515 7.1), taken apart strictly. It verifies nothing and
// trusts nothing: which algorithm is acceptable and whose key it must be is for signature.ts.
import { b64url, fromB64url, utf8, type Bytes } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { malformed } from '#attest/cursor.ts';
import { readBounded } from '#attest/boundedJson.ts';

const WHAT = 'JSON Web Signature';
const MAX_HEADER_BYTES = 16 << 10;
const MAX_PAYLOAD_BYTES = 2 << 20;

export type JsonObject = { readonly [name: string]: Json | undefined };

export interface Jws {
  readonly header: JsonObject;
  readonly payload: Buffer;
  /** ASCII of header, dot, payload (RFC 7515 5.2): what was signed. */
  readonly signed: Uint8Array;
  /** Empty where the token has none. */
  readonly signature: Buffer;
}

/** Takes a token apart. Errors: EVIDENCE_MALFORMED. */
export function parseJws(token: string): Jws {
  const parts = token.split('.', 4);
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined) {
    throw malformed(WHAT, 'not three parts with a dot between them');
  }
  return {
    header: jsonObject('header', decoded('header', header), MAX_HEADER_BYTES),
    payload: decoded('payload', payload),
    signed: utf8(`${header}.${payload}`),
    signature: decoded('signature', signature ?? ''),
  };
}

/** Only the one text that base64url gives for some bytes is taken for them (RFC 7515 2). */
function decoded(part: string, text: string): Buffer {
  const bytes = fromB64url(text);
  if (b64url(bytes) === text) return bytes;
  throw malformed(WHAT, `its ${part} is no base64url without padding`);
}

/** The claims set that the payload of a JWT is (RFC 7519 4). Errors: EVIDENCE_MALFORMED. */
export const claimsSetOf = ({ payload }: Jws): JsonObject =>
  jsonObject('payload', payload, MAX_PAYLOAD_BYTES);

function jsonObject(part: string, bytes: Bytes, maxBytes: number): JsonObject {
  const json = readBounded(bytes, maxBytes);
  if ('why' in json) throw malformed(WHAT, `its ${part} is ${json.why}`);
  if (isObject(json.value)) return json.value;
  throw malformed(WHAT, `its ${part} is no JSON object`);
}

/** An object and no array. */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
