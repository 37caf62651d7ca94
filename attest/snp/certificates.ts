// The certificates that come with an SNP report: as files, PEM or DER, or in the table that the host
// appends to an extended report (GHCB, AMD 56421). It reads them and trusts none.
import type { X509Certificate } from 'node:crypto';
import { fromHex, hex, type Bytes } from '#agent/base/bytes.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import { derElement } from '#attest/der.ts';
import { parseCertificate, pemCertificates } from '#attest/x509/certificate.ts';
import { parseSnpReport, SNP_REPORT_BYTES, type SnpReport } from './report.ts';

/** A chain has three; a table may hold those of both signing keys. */
const MAX_CERTIFICATES = 16;
const GUID_BYTES = 16;
const END_OF_TABLE = '00'.repeat(GUID_BYTES);

/** VCEK, VLEK, ASK or ASVK, ARK; tables also carry what is no certificate. */
const CERTIFICATE_GUIDS = new Set(
  [
    '63da758de6644564adc5f4b93be8accd',
    'a8074bc2a25a483eaae639c045a0b8a1',
    '4ab7b379bbac4fe4a02f05aef327c782',
    'c0b406a4a803495297433fb6014cd0ae',
  ].flatMap((guid) => [guid, mixedEndian(guid)]), // hosts write either order
);

export interface SnpEvidence {
  readonly report: SnpReport;
  /** Those of the table, as the host wrote it; none when there is no table. */
  readonly certificates: readonly X509Certificate[];
}

/** A report of 1,184 bytes, alone or followed by a certificate table. Errors: EVIDENCE_MALFORMED. */
export function parseSnpEvidence(bytes: Bytes): SnpEvidence {
  const cursor = new Cursor(bytes, 'SNP report');
  const report = parseSnpReport(cursor.take(SNP_REPORT_BYTES));
  return { report, certificates: tableCertificates(cursor.peekRest()) };
}

/** PEM text or DER, one certificate after another, at most 16. Errors: EVIDENCE_MALFORMED. */
export function readCertificates(bytes: Bytes, what: string): X509Certificate[] {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.includes('-----BEGIN')) return pemCertificates(text, what, MAX_CERTIFICATES);
  if (bytes.length === 0) throw malformed(what, 'it is empty');
  const certificates: X509Certificate[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const { raw } = derElement(rest, what);
    certificates.push(parseCertificate(raw, what));
    if (certificates.length > MAX_CERTIFICATES) throw malformed(what, 'too many certificates');
    rest = rest.subarray(raw.length);
  }
  return certificates;
}

function tableCertificates(table: Bytes): X509Certificate[] {
  const what = 'certificate table';
  const header = new Cursor(table, what);
  const certificates: X509Certificate[] = [];
  while (header.remaining > 0) {
    const guid = hex(header.take(GUID_BYTES));
    const [offset, length] = [header.u32le(), header.u32le()];
    if (guid === END_OF_TABLE) break;
    const entry = new Cursor(table, what);
    entry.take(offset);
    const contents = entry.take(length);
    if (CERTIFICATE_GUIDS.has(guid)) certificates.push(...readCertificates(contents, what));
    if (certificates.length > MAX_CERTIFICATES) header.fail('too many certificates');
  }
  return certificates;
}

/** The first three fields of a GUID with their bytes reversed (RFC 9562 4). */
function mixedEndian(guid: string): string {
  const bytes = fromHex(guid);
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return hex(bytes);
}
