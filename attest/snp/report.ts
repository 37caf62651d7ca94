// The attestation report of AMD SEV-SNP, versions 2 to 5, field by field (AMD 56860 1.58, Table 23). It reads
// what stands there and notes what the specification forbids; whether any of it is true is for verify.ts.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';

export const SNP_REPORT_BYTES = 1184;
const SIGNED_BYTES = 0x2a0;
const [OLDEST_VERSION, NEWEST_VERSION] = [2, 5];
/** ECDSA P-384 with SHA-384 (AMD 56860 1.58, Table 139). */
const ECDSA_P384_SHA384 = 1;
/** R and S are little-endian integers of 72 bytes each (AMD 56860 1.58, Table 141); P-384 needs 48. */
const [INTEGER_BYTES, SCALAR_BYTES] = [72, 48];
/** SIGNING_KEY, at offset 48h. */
const SIGNING_KEYS: Readonly<Record<number, SigningKeyKind>> = { 0: 'VCEK', 1: 'VLEK', 7: 'none' };

/** VMPL of a report that the host asked for (SNP_HV_REPORT_REQ): its report data is zero. */
export const HOST_VMPL = 0xffff_ffff;
const LEAST_PRIVILEGED = 3;

export type SigningKeyKind = 'VCEK' | 'VLEK' | 'none';

/** Version of the SEV firmware. */
export interface FirmwareVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** The processor that made the report, since version 3: combined family and model (CPUID Fn0000_0001). */
export interface CpuModel {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

export interface SnpReport {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: bigint;
  /** 16 bytes each. */
  readonly familyId: Buffer;
  readonly imageId: Buffer;
  readonly vmpl: number;
  readonly signatureAlgo: number;
  /** TCB_VERSION of 8 bytes; its layout depends on the product (tcb.ts). */
  readonly currentTcb: Buffer;
  readonly platformInfo: bigint;
  readonly authorKeyEn: boolean;
  readonly maskChipKey: boolean;
  readonly signingKey: SigningKeyKind | 'reserved';
  /** 64 bytes that the guest chose. */
  readonly reportData: Buffer;
  /** 48 bytes. */
  readonly measurement: Buffer;
  /** 32 bytes that the host chose at launch. */
  readonly hostData: Buffer;
  /** 48 bytes each; zero when the guest was launched without. */
  readonly idKeyDigest: Buffer;
  readonly authorKeyDigest: Buffer;
  /** 32 bytes each. */
  readonly reportId: Buffer;
  readonly reportIdMa: Buffer;
  readonly reportedTcb: Buffer;
  /** Since version 3. */
  readonly cpu: CpuModel | undefined;
  /** 64 bytes, zero when the host masks it; on Turin 8 bytes and zeros. */
  readonly chipId: Buffer;
  readonly committedTcb: Buffer;
  readonly current: FirmwareVersion;
  readonly committed: FirmwareVersion;
  readonly launchTcb: Buffer;
  /** Since version 5. */
  readonly mitigations: { readonly launch: bigint; readonly current: bigint } | undefined;
  /** What the signature is over. */
  readonly signed: Buffer;
  /** R || S, big-endian, 96 bytes; undefined when they are no P-384 scalars. */
  readonly signature: Buffer | undefined;
  /** What departs from the specification, in words. */
  readonly faults: readonly string[];
}

/** Errors: EVIDENCE_MALFORMED for any other length than 1,184 bytes. */
export function parseSnpReport(bytes: Bytes): SnpReport {
  const cursor = new Cursor(bytes, 'SNP report');
  const faults: string[] = [];
  const reserved = (lenBytes: number): void => {
    const at = cursor.offset;
    if (isZero(cursor.take(lenBytes))) return;
    faults.push(`reserved bytes at 0x${at.toString(16)} are not zero`);
  };
  const firmware = (): FirmwareVersion => {
    const [build, minor, major] = [cursor.u8(), cursor.u8(), cursor.u8()];
    reserved(1);
    return { major, minor, build };
  };

  const version = cursor.u32le();
  const guestSvn = cursor.u32le();
  const policy = cursor.u64le();
  const familyId = cursor.take(16);
  const imageId = cursor.take(16);
  const vmpl = cursor.u32le();
  const signatureAlgo = cursor.u32le();
  const currentTcb = cursor.take(8);
  const platformInfo = cursor.u64le();
  const keyInfo = cursor.u32le();
  reserved(4);
  const reportData = cursor.take(64);
  const measurement = cursor.take(48);
  const hostData = cursor.take(32);
  const idKeyDigest = cursor.take(48);
  const authorKeyDigest = cursor.take(48);
  const reportId = cursor.take(32);
  const reportIdMa = cursor.take(32);
  const reportedTcb = cursor.take(8);
  const cpu =
    version >= 3 ? { family: cursor.u8(), model: cursor.u8(), stepping: cursor.u8() } : undefined;
  reserved(0x1a0 - cursor.offset);
  const chipId = cursor.take(64);
  const committedTcb = cursor.take(8);
  const current = firmware();
  const committed = firmware();
  const launchTcb = cursor.take(8);
  const mitigations =
    version >= 5 ? { launch: cursor.u64le(), current: cursor.u64le() } : undefined;
  reserved(SIGNED_BYTES - cursor.offset);
  const signature = readSignature(cursor);
  reserved(SNP_REPORT_BYTES - cursor.offset);
  cursor.end();

  const signingKey = SIGNING_KEYS[(keyInfo >> 2) & 7] ?? 'reserved';
  if (version < OLDEST_VERSION || version > NEWEST_VERSION) {
    faults.push(`its version is ${version}, known are ${OLDEST_VERSION} to ${NEWEST_VERSION}`);
  }
  if (keyInfo >>> 5 !== 0) faults.push('reserved bits of the key information are set');
  if (signingKey === 'reserved') faults.push('its signing key is of a reserved kind');
  if (vmpl > LEAST_PRIVILEGED && vmpl !== HOST_VMPL) faults.push(`VMPL ${vmpl} does not exist`);
  if (signatureAlgo !== ECDSA_P384_SHA384) {
    faults.push(`signature algorithm ${signatureAlgo} is not ECDSA P-384 with SHA-384`);
  }
  return {
    version,
    guestSvn,
    policy,
    familyId,
    imageId,
    vmpl,
    signatureAlgo,
    currentTcb,
    platformInfo,
    authorKeyEn: (keyInfo & 1) !== 0,
    maskChipKey: (keyInfo & 2) !== 0,
    signingKey,
    reportData,
    measurement,
    hostData,
    idKeyDigest,
    authorKeyDigest,
    reportId,
    reportIdMa,
    reportedTcb,
    cpu,
    chipId,
    committedTcb,
    current,
    committed,
    launchTcb,
    mitigations,
    signed: new Cursor(bytes, 'SNP report').take(SIGNED_BYTES),
    signature,
    faults,
  };
}

/** Rises with the version. */
export const firmwareOrder = ({ major, minor, build }: FirmwareVersion): number =>
  (major * 1000 + minor) * 1000 + build;

/** `1.55.21`. */
export const firmwareText = ({ major, minor, build }: FirmwareVersion): string =>
  `${major}.${minor}.${build}`;

/** True when every byte is zero. */
export const isZero = (bytes: Bytes): boolean => bytes.every((byte) => byte === 0);

function readSignature(cursor: Cursor): Buffer | undefined {
  const scalars = [cursor.take(INTEGER_BYTES), cursor.take(INTEGER_BYTES)];
  if (!scalars.every((integer) => isZero(integer.subarray(SCALAR_BYTES)))) return undefined;
  return Buffer.concat(
    scalars.map((integer) => Buffer.from(integer.subarray(0, SCALAR_BYTES)).reverse()),
  );
}
