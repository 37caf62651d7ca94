// Reads a TDX quote, version 4 and 5 (Intel TDX DCAP Quoting Library API, appendix A.3). It verifies
// nothing: what it returns is what the bytes say.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { ENCLAVE_REPORT_BYTES, parseEnclaveReport, type EnclaveReport } from './enclaveReport.ts';
import { readTdReport, TD_1_0_BYTES, type TdReport } from './tdReport.ts';

/** A quote is some 5 KB; drivers hand out buffers of at most 16 KB. */
export const MAX_QUOTE_BYTES = 64 << 10;

const TEE_TDX = 0x81;
const ECDSA_P256 = 2;
/** A.3.11: what stands in certification data. */
const PCK_CHAIN_PEM = 5;
const QE_REPORT = 6;

export interface QuoteHeader {
  readonly version: 4 | 5;
  readonly attKeyType: number;
  readonly teeType: number;
  readonly qeSvn: number;
  readonly pceSvn: number;
  readonly qeVendorId: Buffer;
  readonly userData: Buffer;
}

export interface TdxQuote {
  readonly header: QuoteHeader;
  /** Undefined in version 4, whose body is always that of TDX 1.0. */
  readonly bodyType: number | undefined;
  readonly report: TdReport;
  /** Header and body, over which the attestation key signed. */
  readonly signed: Buffer;
  /** Raw r || s. */
  readonly signature: Buffer;
  /** The raw point of a P-256 key, 64 bytes. */
  readonly attestationKey: Buffer;
  readonly certification: QeCertification;
  /** Bytes after the quote: padding of the buffer that it came in. */
  readonly trailingBytes: number;
}

/** What vouches for the attestation key (A.3.11). */
export interface QeCertification {
  readonly report: EnclaveReport;
  /** The report of the quoting enclave as it was signed. */
  readonly signed: Buffer;
  /** Raw r || s by the PCK. */
  readonly signature: Buffer;
  readonly authData: Buffer;
  /** The PCK chain in PEM; undefined where the quote carries another kind of certification data. */
  readonly pckChain: string | undefined;
  readonly kind: number;
}

/** Errors: EVIDENCE_MALFORMED, also for quotes of SGX enclaves and other versions. */
export function parseTdxQuote(bytes: Bytes): TdxQuote {
  const cursor = new Cursor(bytes, 'TDX quote');
  if (bytes.length > MAX_QUOTE_BYTES) cursor.fail(`${bytes.length} bytes`);
  const whole = cursor.peekRest();
  const header = readHeader(cursor);
  const bodyType = header.version === 5 ? cursor.u16le() : undefined;
  const report = readTdReport(
    cursor,
    bodyType,
    bodyType === undefined ? TD_1_0_BYTES : cursor.u32le(),
  );
  const signed = whole.subarray(0, cursor.offset);
  const signatureData = new Cursor(cursor.take(cursor.u32le()), 'signature data of TDX quote');
  const signature = signatureData.take(64);
  const attestationKey = signatureData.take(64);
  const certification = readCertification(signatureData);
  signatureData.end();
  const trailingBytes = cursor.remaining;
  return {
    header,
    bodyType,
    report,
    signed,
    signature,
    attestationKey,
    certification,
    trailingBytes,
  };
}

function readHeader(cursor: Cursor): QuoteHeader {
  const version = cursor.u16le();
  const attKeyType = cursor.u16le();
  const teeType = cursor.u32le();
  if (version === 3 || ((version === 4 || version === 5) && teeType === 0)) {
    cursor.fail(`version ${version} of an SGX enclave; only quotes of TDX are judged`);
  }
  if (version !== 4 && version !== 5) cursor.fail(`version ${version}, not 4 or 5`);
  if (teeType !== TEE_TDX) cursor.fail(`TEE type 0x${teeType.toString(16)}, not 0x81`);
  if (attKeyType !== ECDSA_P256) {
    cursor.fail(`attestation key type ${attKeyType}, not 2 (ECDSA P-256)`);
  }
  return {
    version,
    attKeyType,
    teeType,
    qeSvn: cursor.u16le(),
    pceSvn: cursor.u16le(),
    qeVendorId: cursor.take(16),
    userData: cursor.take(20),
  };
}

function readCertification(outer: Cursor): QeCertification {
  const kindOfAll = outer.u16le();
  if (kindOfAll !== QE_REPORT) {
    outer.fail(`certification data of type ${kindOfAll}, not 6 (report of the quoting enclave)`);
  }
  const cursor = new Cursor(outer.take(outer.u32le()), 'certification data of TDX quote');
  const signed = cursor.take(ENCLAVE_REPORT_BYTES);
  const signature = cursor.take(64);
  const authData = cursor.take(cursor.u16le());
  const kind = cursor.u16le();
  const data = cursor.take(cursor.u32le());
  cursor.end();
  const pckChain = kind === PCK_CHAIN_PEM ? data.toString('latin1') : undefined;
  return { report: parseEnclaveReport(signed), signed, signature, authData, pckChain, kind };
}
