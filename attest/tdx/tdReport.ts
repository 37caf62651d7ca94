// The body of a TDX quote: what the TDX module reports of a trust domain (Intel TDX DCAP Quoting Library
// API, A.3.2; TDX Module Base Specification, TDREPORT_STRUCT). It reads; nothing here is verified.
import type { Cursor } from '#attest/cursor.ts';

/** Values are views of the quote, named as in the specification; registers have 48 bytes. */
export interface TdReport {
  readonly teeTcbSvn: Buffer;
  readonly mrSeam: Buffer;
  readonly mrSignerSeam: Buffer;
  readonly seamAttributes: Buffer;
  readonly tdAttributes: Buffer;
  readonly xfam: Buffer;
  readonly mrTd: Buffer;
  readonly mrConfigId: Buffer;
  readonly mrOwner: Buffer;
  readonly mrOwnerConfig: Buffer;
  readonly rtmrs: readonly [Buffer, Buffer, Buffer, Buffer];
  /** 64 bytes that the trust domain chose. */
  readonly reportData: Buffer;
  /** From TDX 1.5 on. */
  readonly later: LaterFields | undefined;
}

export interface LaterFields {
  /** SVNs of what runs now; teeTcbSvn has those of when the domain was started. */
  readonly teeTcbSvn2: Buffer;
  readonly mrServiceTd: Buffer;
}

/** Body types of quote version 5 (A.3.2) and their sizes in bytes. */
const TD_1_0 = { type: 2, lenBytes: 584 };
const TD_1_5 = { type: 3, lenBytes: 648 };
/** TDX 1.5 with further fields at the end, which say nothing that is judged here. */
const TD_1_5_EXTENDED = { type: 4, lenBytes: 885 };
const SGX_ENCLAVE = 1;

/** Bytes of the only body of quote version 4. */
export const TD_1_0_BYTES = TD_1_0.lenBytes;

/** The body at a cursor, by its type and size in the quote. Errors: EVIDENCE_MALFORMED. */
export function readTdReport(
  cursor: Cursor,
  type = TD_1_0.type,
  lenBytes = TD_1_0_BYTES,
): TdReport {
  if (type === SGX_ENCLAVE) cursor.fail('it is of an SGX enclave; only those of TDX are judged');
  const form = [TD_1_0, TD_1_5, TD_1_5_EXTENDED].find((each) => each.type === type);
  if (form === undefined) return cursor.fail(`body type ${type} is unknown`);
  if (form.lenBytes !== lenBytes) {
    cursor.fail(`a body of type ${type} has ${form.lenBytes} bytes, not ${lenBytes}`);
  }
  const register = (): Buffer => cursor.take(48);
  const report = {
    teeTcbSvn: cursor.take(16),
    mrSeam: register(),
    mrSignerSeam: register(),
    seamAttributes: cursor.take(8),
    tdAttributes: cursor.take(8),
    xfam: cursor.take(8),
    mrTd: register(),
    mrConfigId: register(),
    mrOwner: register(),
    mrOwnerConfig: register(),
    rtmrs: [register(), register(), register(), register()] as const,
    reportData: cursor.take(64),
  };
  if (form === TD_1_0) return { ...report, later: undefined };
  const later = { teeTcbSvn2: cursor.take(16), mrServiceTd: register() };
  cursor.take(form.lenBytes - TD_1_5.lenBytes);
  return { ...report, later };
}
