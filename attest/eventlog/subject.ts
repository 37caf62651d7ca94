// The name of a certificate's subject, for a reader of an event log. Secure Boot databases hold
// certificates that OpenSSL refuses; here nothing but the name is read, and nothing is trusted.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { derChildren, derElement, type DerElement } from '#attest/der.ts';
import { objectIdentifier } from '#attest/x509/extension.ts';
import { printable } from './text.ts';

const WHAT = 'certificate subject';
/** [0] EXPLICIT Version of a TBSCertificate, absent in version 1. */
const VERSION = 0xa0;
const BMP_STRING = 0x1e;
const COMMON_NAME = '2.5.4.3';
/** A distinguished name has a handful of attributes (RFC 5280 4.1.2.4). */
const MAX_ATTRIBUTES = 32;

/** `Microsoft Windows Production PCA 2011`: the common name, else every value. Errors: EVIDENCE_MALFORMED. */
export function subjectName(certificate: Bytes): string {
  const [tbs] = derChildren(derElement(certificate, WHAT), WHAT);
  const fields = tbs === undefined ? [] : derChildren(tbs, WHAT);
  const subject = fields[fields[0]?.tag === VERSION ? 5 : 4];
  if (subject === undefined) return new Cursor(certificate, WHAT).fail('there is none');
  const attributes = derChildren(subject, WHAT)
    .slice(0, MAX_ATTRIBUTES)
    .flatMap((set) => derChildren(set, WHAT).slice(0, 1).map(attribute));
  const common = attributes.filter(({ id }) => id === COMMON_NAME);
  return (common.length > 0 ? common : attributes).map(({ value }) => value).join(', ');
}

/** AttributeTypeAndValue. */
function attribute(element: DerElement): { readonly id: string; readonly value: string } {
  const [id, value] = derChildren(element, WHAT);
  if (id === undefined || value === undefined) {
    return new Cursor(element.raw, WHAT).fail('an attribute without a value');
  }
  const { tag, content } = value;
  const text = tag === BMP_STRING ? utf16be(content) : content.toString('utf8');
  return { id: objectIdentifier(id), value: printable(text) };
}

const utf16be = (content: Buffer): string =>
  Buffer.from(content.subarray(0, content.length & ~1))
    .swap16()
    .toString('utf16le');
