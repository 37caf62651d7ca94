// Extensions of a certificate by object identifier (RFC 5280 4.2), for those that OpenSSL does not
// decode: what AMD, Intel and Google write about the chip or machine that a key belongs to.
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { derChildren, derElement, type DerElement } from '#attest/der.ts';
import { Cursor } from '#attest/cursor.ts';

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const OBJECT_IDENTIFIER = 0x06;
const OCTET_STRING = 0x04;
/** Set in every octet of an arc but its last. */
const CONTINUES = 0x80;
const MAX_OID_BYTES = 64;
/** [3] EXPLICIT Extensions of a TBSCertificate. */
const EXTENSIONS = 0xa3;
const BASIC_CONSTRAINTS = '2.5.29.19';

/** The contents of extnValue of each extension, by dotted object identifier. Errors: EVIDENCE_MALFORMED. */
export const extensionsOf = (certificate: Bytes): ReadonlyMap<string, Buffer> =>
  new Map(Array.from(listed(certificate), ([id, { value }]) => [id, value]));

/** Identifiers of the extensions that nobody may ignore (RFC 5280 4.2). Errors: EVIDENCE_MALFORMED. */
export const criticalExtensions = (certificate: Bytes): string[] =>
  [...listed(certificate)].filter(([, { critical }]) => critical).map(([id]) => id);

/** How many CAs may stand below one (RFC 5280 4.2.1.9, pathLenConstraint). Errors: EVIDENCE_MALFORMED. */
export function pathLength(ca: Bytes): number {
  const what = 'basic constraints';
  const value = extensionsOf(ca).get(BASIC_CONSTRAINTS);
  if (value === undefined) return Infinity;
  const parts = derChildren(derElement(value, what), what);
  const limit = parts.find(({ tag }) => tag === INTEGER);
  return limit === undefined ? Infinity : Number.parseInt(hex(limit.content), 16);
}

interface Extension {
  readonly value: Buffer;
  readonly critical: boolean;
}

function listed(certificate: Bytes): Map<string, Extension> {
  const what = 'certificate extensions';
  const [tbs] = derChildren(derElement(certificate, what), what);
  const fields = tbs === undefined ? [] : derChildren(tbs, what);
  const wrapped = fields.find(({ tag }) => tag === EXTENSIONS);
  const found = new Map<string, Extension>();
  if (wrapped === undefined) return found;
  const [list] = derChildren(wrapped, what);
  for (const extension of list === undefined ? [] : derChildren(list, what)) {
    const parts = derChildren(extension, what); // extnID, critical (optional), extnValue
    const [id, value] = [parts[0], parts.at(-1)];
    if (id === undefined || value?.tag !== OCTET_STRING) {
      return new Cursor(extension.raw, what).fail('an extension without a value');
    }
    const name = objectIdentifier(id);
    if (found.has(name)) {
      new Cursor(extension.raw, what).fail(`extension ${name} stands there twice`);
    }
    const critical = parts.some(({ tag, content }) => tag === BOOLEAN && content[0] !== 0);
    found.set(name, { value: value.content, critical });
  }
  return found;
}

/** `1.3.6.1.4.1.3704.1.1` (X.690 8.19). Errors: EVIDENCE_MALFORMED. */
export function objectIdentifier({ tag, content, raw }: DerElement): string {
  const cursor = new Cursor(content, 'object identifier');
  const last = content.at(-1) ?? CONTINUES;
  if (tag !== OBJECT_IDENTIFIER || last >= CONTINUES || raw.length > MAX_OID_BYTES) {
    return cursor.fail('it is none');
  }
  const arcs: number[] = [];
  for (let arc = 0; cursor.remaining > 0;) {
    const octet = cursor.u8();
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) cursor.fail('an arc too long');
    if (octet >= CONTINUES) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}
