// Certificate revocation lists (RFC 5280 5): which serial numbers a CA took back, until when the list
// counts, and whether that CA signed it. It fetches nothing and knows no CA by itself.
import type { X509Certificate } from 'node:crypto';
import { verifyDerEcdsa, verifyJwa } from '#agent/base/asymmetric.ts';
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import { derChildren, derElement, type DerElement } from '#attest/der.ts';
import { certificateKey } from './certificate.ts';
import { objectIdentifier } from './extension.ts';

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;

/** ECDSA (RFC 5758 3.2), with which Intel signs its lists. */
const ECDSA: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
};
/** RSASSA-PSS (RFC 4055 3.1), with which AMD does; the hash is the first of its parameters. */
const RSASSA_PSS = '1.2.840.113549.1.1.10';
const HASH_ALGORITHM = 0xa0;
const PSS: Readonly<Record<string, 'PS256' | 'PS384'>> = {
  '2.16.840.1.101.3.4.2.1': 'PS256',
  '2.16.840.1.101.3.4.2.2': 'PS384',
};

type Scheme = { readonly ecdsa: string } | { readonly pss: 'PS256' | 'PS384' };

const WHAT = 'certificate revocation list';

export interface RevocationList {
  /** Unix milliseconds. */
  readonly thisUpdateMs: number;
  /** Unix milliseconds; undefined where the CA promises no next list. */
  readonly nextUpdateMs: number | undefined;
  /** Serial numbers, hex without leading zeros. */
  readonly revoked: ReadonlySet<string>;
  /** The TBSCertList as it was signed. */
  readonly signed: Buffer;
  /** ECDSA with this hash, or RSASSA-PSS as JWA names it. */
  readonly scheme: Scheme;
  /** ECDSA in DER; RSASSA-PSS as it is. */
  readonly signature: Buffer;
}

/** Reads a DER CertificateList signed with ECDSA or RSASSA-PSS. Errors: EVIDENCE_MALFORMED. */
export function parseCrl(bytes: Bytes): RevocationList {
  const whole = derElement(bytes, WHAT);
  if (whole.raw.length !== bytes.length) refuse(whole, 'bytes follow it');
  const [tbs, algorithm, signature, ...more] = derChildren(whole, WHAT);
  const bits = signature?.tag === BIT_STRING && signature.content[0] === 0 ? signature : undefined;
  if (whole.tag !== SEQUENCE || !tbs || !algorithm || !bits || more.length > 0) {
    return refuse(whole, 'it is no CertificateList');
  }
  const fields = fieldsOf(tbs);
  if (fields.algorithm?.raw.equals(algorithm.raw) !== true) {
    return refuse(tbs, 'it names two signature algorithms');
  }
  return {
    ...listed(fields),
    signed: tbs.raw,
    scheme: schemeOf(algorithm),
    signature: bits.content.subarray(1), // after the count of unused bits
  };
}

/** Whether the key of `issuer` signed the list. */
export function crlSignedBy(
  { scheme, signed, signature }: RevocationList,
  issuer: X509Certificate,
): boolean {
  const key = certificateKey(issuer);
  if (key === undefined) return false;
  return 'ecdsa' in scheme
    ? verifyDerEcdsa(key, scheme.ecdsa, signed, signature)
    : verifyJwa(key, scheme.pss, signed, signature);
}

/** Whether the list takes back this certificate; the list must be one of its issuer. */
export const isRevoked = (crl: RevocationList, certificate: X509Certificate): boolean =>
  crl.revoked.has(serial(certificate.serialNumber));

const serial = (text: string): string => text.toLowerCase().replace(/^0+/, '');

interface Fields {
  readonly algorithm: DerElement | undefined;
  /** From thisUpdate on. */
  readonly dated: readonly DerElement[];
}

function fieldsOf(tbs: DerElement): Fields {
  const fields = derChildren(tbs, WHAT);
  const [algorithm, , ...dated] = fields[0]?.tag === INTEGER ? fields.slice(1) : fields;
  return { algorithm, dated };
}

function listed({
  dated: [thisUpdate, next, ...rest],
}: Fields): Pick<RevocationList, 'thisUpdateMs' | 'nextUpdateMs' | 'revoked'> {
  const nextUpdate = next !== undefined && isTime(next) ? next : undefined;
  const entries = nextUpdate === undefined ? next : rest[0];
  return {
    thisUpdateMs: timeOf(thisUpdate),
    nextUpdateMs: nextUpdate && timeOf(nextUpdate),
    revoked: new Set(entries?.tag === SEQUENCE ? derChildren(entries, WHAT).map(serialOf) : []),
  };
}

function serialOf(entry: DerElement): string {
  const number = derElement(entry.content, WHAT);
  return number.tag === INTEGER
    ? serial(hex(number.content))
    : refuse(entry, 'an entry of no serial');
}

function schemeOf(algorithm: DerElement): Scheme {
  const [id, parameters] = derChildren(algorithm, WHAT);
  const oid = id === undefined ? '' : objectIdentifier(id);
  const ecdsa = ECDSA[oid];
  if (ecdsa !== undefined) return { ecdsa };
  const pss = oid === RSASSA_PSS && parameters !== undefined ? PSS[pssHash(parameters)] : undefined;
  return pss === undefined
    ? refuse(algorithm, `signature algorithm ${oid} is neither ECDSA nor RSASSA-PSS with SHA-2`)
    : { pss };
}

function pssHash(parameters: DerElement): string {
  const tagged = derChildren(parameters, WHAT).find(({ tag }) => tag === HASH_ALGORITHM);
  if (tagged === undefined) return '';
  return objectIdentifier(derElement(derElement(tagged.content, WHAT).content, WHAT));
}

const isTime = ({ tag }: DerElement): boolean => tag === UTC_TIME || tag === GENERALIZED_TIME;

/** RFC 5280 5.1.2.4: always UTC, always with seconds; two-digit years are 1950 to 2049. */
function timeOf(element: DerElement | undefined): number {
  if (element === undefined || !isTime(element)) throw malformed(WHAT, 'it has no date');
  const digits = element.content.toString('latin1');
  const century = Number(digits.slice(0, 2)) < 50 ? '20' : '19';
  const full = element.tag === UTC_TIME ? `${century}${digits}` : digits;
  const iso = full.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const ms = Date.parse(iso);
  if (iso === full || !Number.isFinite(ms)) return refuse(element, 'a date that is none');
  return ms;
}

const refuse = (element: DerElement, state: string): never =>
  new Cursor(element.raw, WHAT).fail(state);
