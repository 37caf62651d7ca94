// The report of the quoting enclave inside a quote (SGX REPORTBODY, Intel SDM volume 3D 38.15): what
// ties the key that signed a quote to code of Intel's. It reads; nothing here is verified.
import { Cursor } from '#attest/cursor.ts';
import type { Bytes } from '#agent/base/bytes.ts';

/** Bytes of a REPORTBODY. */
export const ENCLAVE_REPORT_BYTES = 384;

export interface EnclaveReport {
  readonly miscSelect: Buffer;
  readonly attributes: Buffer;
  readonly mrEnclave: Buffer;
  readonly mrSigner: Buffer;
  readonly isvProdId: number;
  readonly isvSvn: number;
  /** 64 bytes. */
  readonly reportData: Buffer;
}

/** Errors: EVIDENCE_MALFORMED. */
export function parseEnclaveReport(bytes: Bytes): EnclaveReport {
  const cursor = new Cursor(bytes, 'quoting enclave report');
  cursor.take(16); // CPUSVN: that of the PCK certificate counts
  const miscSelect = cursor.take(4);
  cursor.take(28);
  const attributes = cursor.take(16);
  const mrEnclave = cursor.take(32);
  cursor.take(32);
  const mrSigner = cursor.take(32);
  cursor.take(96);
  const isvProdId = cursor.u16le();
  const isvSvn = cursor.u16le();
  cursor.take(60);
  const reportData = cursor.take(64);
  cursor.end();
  return { miscSelect, attributes, mrEnclave, mrSigner, isvProdId, isvSvn, reportData };
}
