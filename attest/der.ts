// The little DER that certificates need: one element at a time, bounded, never rewritten. Vendors'
// certificates are kept as raw bytes because some are not quite DER.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from './cursor.ts';

export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly raw: Buffer;
}

const CONTEXT_0 = 0xa0;
const SEQUENCE = 0x30;

/** The element at the start of `bytes` (X.690 8.1). Errors: EVIDENCE_MALFORMED. */
export function derElement(bytes: Bytes, what: string): DerElement {
  const cursor = new Cursor(bytes, what);
  const tag = cursor.u8();
  const first = cursor.u8();
  const longForm = first & 0x7f;
  if (first >= 0x80 && (longForm === 0 || longForm > 3)) cursor.fail('a length that DER forbids');
  const length = first < 0x80 ? first : cursor.take(longForm).readUIntBE(0, longForm);
  const start = cursor.offset;
  const content = cursor.take(length);
  const raw = Buffer.from(content.buffer, content.byteOffset - start, start + length);
  return { tag, content, raw };
}

/** The elements inside a constructed one. Errors: EVIDENCE_MALFORMED. */
export function derChildren({ content }: DerElement, what: string): DerElement[] {
  const children: DerElement[] = [];
  let rest = content;
  while (rest.length > 0) {
    const child = derElement(rest, what);
    children.push(child);
    rest = rest.subarray(child.raw.length);
  }
  return children;
}

/** The DER of the SubjectPublicKeyInfo of a certificate (RFC 5280 4.1). Errors: EVIDENCE_MALFORMED. */
export function subjectPublicKeyInfo(certificate: DerElement): Buffer {
  const what = 'certificate';
  const [tbs] = derChildren(certificate, what);
  const fields = tbs === undefined ? [] : derChildren(tbs, what);
  const versioned = fields[0]?.tag === CONTEXT_0; // absent in version 1
  const spki = fields[versioned ? 6 : 5]; // serial, signature, issuer, validity, subject before it
  if (spki?.tag === SEQUENCE) return spki.raw;
  return new Cursor(certificate.raw, what).fail('no public key where RFC 5280 puts it');
}
