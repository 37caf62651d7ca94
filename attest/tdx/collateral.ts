// What a platform's quotes are judged by besides themselves: TCB info, QE identity, revocation lists and
// the certificates of who signed them, out of the files that a person has. docs/evidence/tdx.md shows the
// layouts. It reads; every signature is judged elsewhere.
import type { X509Certificate } from 'node:crypto';
import { fromHex, type Bytes } from '#agent/base/bytes.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { malformed } from '#attest/cursor.ts';
import { derChildren, derElement } from '#attest/der.ts';
import { parseCertificate, pemCertificates } from '#attest/x509/certificate.ts';
import { parseCrl, type RevocationList } from '#attest/x509/crl.ts';
import { z } from 'zod';
import { memberText, parseJson, signedText, type SignedText } from './signedText.ts';

/** Room for a revocation list of 20,000 entries; Intel's have some 50. */
export const MAX_COLLATERAL_BYTES = 1 << 20;
const MAX_CERTIFICATES = 6;
const MAX_LISTS = 4;
const SEQUENCE = 0x30;
/** [0] EXPLICIT version: certificates have it, revocation lists have not. */
const CONTEXT_0 = 0xa0;
const WHAT = 'collateral';

export interface Collateral {
  readonly tcbInfo: SignedText | undefined;
  readonly qeIdentity: SignedText | undefined;
  /** Of any CA: who signed each is for its signature to say. */
  readonly lists: readonly RevocationList[];
  /** Of every issuer chain, each once. */
  readonly certificates: readonly X509Certificate[];
}

/** Reads one or several files, each JSON, PEM or DER; what comes later fills in. Errors: EVIDENCE_MALFORMED. */
export function readCollateral(files: readonly Bytes[]): Collateral {
  const parts = files.map((file) => readPart(Buffer.from(file)));
  const certificates = new Map(
    parts.flatMap((part) => part.certificates ?? []).map((each) => [each.fingerprint256, each]),
  );
  const lists = parts.flatMap((part) => part.lists ?? []);
  if (certificates.size > MAX_CERTIFICATES) throw malformed(WHAT, 'too many certificates');
  if (lists.length > MAX_LISTS) throw malformed(WHAT, 'too many revocation lists');
  return {
    tcbInfo: parts.find(({ tcbInfo }) => tcbInfo !== undefined)?.tcbInfo,
    qeIdentity: parts.find(({ qeIdentity }) => qeIdentity !== undefined)?.qeIdentity,
    lists,
    certificates: [...certificates.values()],
  };
}

function readPart(file: Buffer): Partial<Collateral> {
  if (file.length > MAX_COLLATERAL_BYTES) throw malformed(WHAT, `${file.length} bytes`);
  if (file[0] === SEQUENCE) return readDer(file);
  const text = file.toString('utf8');
  if (text.includes('-----BEGIN')) {
    return text.trimStart().startsWith('{') ? readJson(text) : readPem(text);
  }
  return readJson(text);
}

function readDer(file: Buffer): Partial<Collateral> {
  const [tbs] = derChildren(derElement(file, WHAT), WHAT);
  const [first] = tbs === undefined ? [] : derChildren(tbs, WHAT);
  return first?.tag === CONTEXT_0
    ? { certificates: [parseCertificate(file, 'certificate of collateral')] }
    : { lists: [parseCrl(file)] };
}

const PEM_CRL = /-----BEGIN X509 CRL-----([\sA-Za-z0-9+/=]+)-----END X509 CRL-----/;

function readPem(text: string): Partial<Collateral> {
  const list = PEM_CRL.exec(text)?.[1];
  return list === undefined
    ? { certificates: chain(text) }
    : { lists: [parseCrl(Buffer.from(list, 'base64'))] };
}

const chain = (text: string): X509Certificate[] =>
  pemCertificates(text, 'issuer chain of collateral', MAX_CERTIFICATES);

const octet = z.int().min(0).max(255);
const bytesText = z.union([z.string(), z.array(octet)]);

/** quote_collateral_v3 of Intel's quote verification library, and the answers of the PCS. */
const layout = z.object({
  tcb_info: z.string().optional(),
  tcb_info_signature: bytesText.optional(),
  tcb_info_issuer_chain: z.string().optional(),
  qe_identity: z.string().optional(),
  qe_identity_signature: bytesText.optional(),
  qe_identity_issuer_chain: z.string().optional(),
  pck_crl: bytesText.optional(),
  root_ca_crl: bytesText.optional(),
  pck_crl_issuer_chain: z.string().optional(),
  pck_certificate_chain: z.string().nullish(),
});

function readJson(text: string): Partial<Collateral> {
  const read = layout.safeParse(parseJson(text, WHAT));
  if (!read.success) throw malformed(WHAT, problemsOf(read.error).slice(0, 5).join('; '));
  const { data } = read;
  const found = {
    tcbInfo: answer(text, 'tcbInfo') ?? signedBy(data.tcb_info, data.tcb_info_signature, 'tcbInfo'),
    qeIdentity:
      answer(text, 'enclaveIdentity') ??
      signedBy(data.qe_identity, data.qe_identity_signature, 'enclaveIdentity'),
    lists: [data.root_ca_crl, data.pck_crl].flatMap((list) =>
      list === undefined ? [] : [parseCrl(bytesOf(list))],
    ),
    certificates: [
      data.tcb_info_issuer_chain,
      data.qe_identity_issuer_chain,
      data.pck_crl_issuer_chain,
      data.pck_certificate_chain,
    ].flatMap((pem) => (pem ? chain(pem) : [])),
  };
  const isEmpty = !found.tcbInfo && !found.qeIdentity && found.lists.length === 0;
  if (isEmpty && found.certificates.length === 0) throw malformed(WHAT, 'it has no known member');
  return found;
}

/** An answer of the PCS: `{"tcbInfo":{...},"signature":"..."}`. */
function answer(json: string, name: string): SignedText | undefined {
  const body = memberText(json, name);
  if (body === undefined) return undefined;
  const signature = memberText(json, 'signature');
  return signedText(body, signature === undefined ? undefined : parseJson(signature, WHAT), name);
}

/** A body with its signature beside it, or a whole answer of the PCS as text. */
function signedBy(
  body: string | undefined,
  signature: string | readonly number[] | undefined,
  name: string,
): SignedText | undefined {
  if (body === undefined) return undefined;
  parseJson(body, name);
  const beside = typeof signature === 'object' ? Buffer.from(signature).toString('hex') : signature;
  return answer(body, name) ?? signedText(body, beside, name);
}

/** Hex, base64, PEM or numbers. */
function bytesOf(value: string | readonly number[]): Buffer {
  if (typeof value !== 'string') return Buffer.from(value);
  if (/^(?:[0-9a-fA-F]{2})+$/.test(value)) return fromHex(value);
  return Buffer.from(PEM_CRL.exec(value)?.[1] ?? value, 'base64');
}
