// The certificate of a versioned endorsement key, VCEK or VLEK: which processor, provider and TCB AMD
// says the key belongs to (AMD 57230 3). Whether AMD says so at all is for endorsement.ts.
import type { X509Certificate } from 'node:crypto';
import type { Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import { derElement } from '#attest/der.ts';
import { oneLine } from '#attest/x509/chain.ts';
import { extensionsOf } from '#attest/x509/extension.ts';
import { productOfName, type SnpProduct } from './product.ts';
import type { SigningKeyKind } from './report.ts';
import { readTcb, type Tcb } from './tcb.ts';

/** Extensions under 1.3.6.1.4.1.3704.1 (AMD 57230, Tables 10 and 11). */
const AMD = '1.3.6.1.4.1.3704.1';
const PRODUCT_NAME = `${AMD}.2`;
const HWID = `${AMD}.4`;
const CSP_ID = `${AMD}.5`;
/** Security patch levels, the last arc of each extension in the order of the bytes of a TCB_VERSION. */
const SPL_UP_TO_GENOA = [1, 2, 4, 5, 6, 7, 3, 8];
const SPL_TURIN = [9, 1, 2, 3, 5, 6, 7, 8];

const [INTEGER, OCTET_STRING, IA5_STRING] = [0x02, 0x04, 0x16];
/** A chip id: of Turin 8 bytes, of the others 64. */
const HWID_BYTES = [8, 64];

const KINDS: Readonly<Record<string, VekKind>> = { 'SEV-VCEK': 'VCEK', 'SEV-VLEK': 'VLEK' };

export type VekKind = Exclude<SigningKeyKind, 'none'>;

export interface Vek {
  readonly kind: VekKind;
  /** As it stands in the certificate: `Milan-B0`. */
  readonly productName: string;
  readonly product: SnpProduct;
  /** TCB_VERSION that the key was derived for, 8 bytes. */
  readonly rawTcb: Buffer;
  readonly tcb: Tcb;
  /** Of a VCEK: 8 or 64 bytes. */
  readonly hwid: Buffer | undefined;
  /** Of a VLEK: the cloud provider it was given to. */
  readonly cspId: string | undefined;
}

/** The common name of a subject, or the whole of it where there is none. */
export const commonName = ({ subject }: Pick<X509Certificate, 'subject'>): string =>
  /^CN=(.*)$/m.exec(subject)?.[1] ?? oneLine(subject);

/** The kind of key that a certificate names as its subject; undefined when it is none of AMD's. */
export const vekKindOf = (certificate: X509Certificate): VekKind | undefined =>
  KINDS[commonName(certificate)];

/** What a VEK certificate says of its key, or why it says nothing. */
export function readVek(
  certificate: X509Certificate,
  kind: VekKind,
): Vek | { readonly why: string } {
  try {
    return vekOf(extensionsOf(certificate.raw), kind);
  } catch (error) {
    if (error instanceof TidelockError) return { why: error.message };
    throw error;
  }
}

function vekOf(extensions: ReadonlyMap<string, Bytes>, kind: VekKind): Vek {
  const productName = ia5Of(extensions, PRODUCT_NAME);
  const product = productOfName(productName);
  if (product === undefined) {
    const name = JSON.stringify(productName.slice(0, 40));
    throw malformed('VEK certificate', `product ${name} is unknown`);
  }
  const arcs = product === 'Turin' ? SPL_TURIN : SPL_UP_TO_GENOA;
  const rawTcb = Buffer.from(arcs.map((arc) => patchLevel(extensions, `${AMD}.3.${arc}`)));
  return {
    kind,
    productName,
    product,
    rawTcb,
    tcb: readTcb(rawTcb, product),
    hwid: kind === 'VCEK' ? hwidOf(extensions) : undefined,
    cspId: kind === 'VLEK' ? ia5Of(extensions, CSP_ID) : undefined,
  };
}

function valueOf(extensions: ReadonlyMap<string, Bytes>, id: string): Bytes {
  const value = extensions.get(id);
  if (value === undefined) throw malformed('VEK certificate', `it has no extension ${id}`);
  return value;
}

function contentOf(extensions: ReadonlyMap<string, Bytes>, id: string, tag: number): Buffer {
  const value = valueOf(extensions, id);
  const element = derElement(value, `extension ${id}`);
  if (element.tag === tag && element.raw.length === value.length) return element.content;
  return new Cursor(value, `extension ${id}`).fail('it is not of its type');
}

const ia5Of = (extensions: ReadonlyMap<string, Bytes>, id: string): string =>
  contentOf(extensions, id, IA5_STRING).toString('latin1');

/** An INTEGER from 0 to 255. */
function patchLevel(extensions: ReadonlyMap<string, Bytes>, id: string): number {
  const digits = contentOf(extensions, id, INTEGER);
  const level = digits.length <= 2 && digits.length > 0 ? digits.readIntBE(0, digits.length) : -1;
  return level >= 0 && level <= 255
    ? level
    : new Cursor(digits, `extension ${id}`).fail('it is no patch level');
}

/** The chip id stands there bare, not in a DER type as the others do; an OCTET STRING is read as well. */
function hwidOf(extensions: ReadonlyMap<string, Bytes>): Buffer {
  const value = valueOf(extensions, HWID);
  const bare = HWID_BYTES.includes(value.length);
  const hwid = bare ? Buffer.from(value) : contentOf(extensions, HWID, OCTET_STRING);
  return HWID_BYTES.includes(hwid.length)
    ? hwid
    : new Cursor(hwid, 'chip id').fail(`${hwid.length} bytes`);
}
