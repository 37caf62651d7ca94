// TPMS_ATTEST, what a TPM signs: own strict parser, every field, no byte left over. It says what the
// bytes state; whether a TPM stated it is for the signature to show.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { algText, hashById, type HashAlgorithm } from './algorithms.ts';

/** TPM_GENERATED_VALUE (TPM 2.0 Part 2 6.2): "\xffTCG". */
export const TPM_GENERATED = 0xff544347;

/** TPM_ST of attestation structures (Part 2 6.9). */
const ATTEST_TYPES: ReadonlyMap<number, string> = new Map([
  [0x8014, 'TPM_ST_ATTEST_NV'],
  [0x8015, 'TPM_ST_ATTEST_COMMAND_AUDIT'],
  [0x8016, 'TPM_ST_ATTEST_SESSION_AUDIT'],
  [0x8017, 'TPM_ST_ATTEST_CERTIFY'],
  [0x8018, 'TPM_ST_ATTEST_QUOTE'],
  [0x8019, 'TPM_ST_ATTEST_TIME'],
  [0x801a, 'TPM_ST_ATTEST_CREATION'],
  [0x801c, 'TPM_ST_ATTEST_NV_DIGEST'],
]);
const QUOTE = 0x8018;
/** HASH_COUNT of every implementation is below this. */
const MAX_SELECTIONS = 16;

/** TPMS_CLOCK_INFO (Part 2 10.11.1). */
export interface TpmClock {
  /** Milliseconds that the TPM has been powered since its last clear. */
  readonly clockMs: number;
  readonly resetCount: number;
  readonly restartCount: number;
  /** False after an unorderly shutdown: values up to the last one reported may come again. */
  readonly safe: boolean;
}

export interface PcrSelection {
  readonly bank: HashAlgorithm;
  /** Rising. */
  readonly pcrs: readonly number[];
}

export interface QuoteInfo {
  readonly selections: readonly PcrSelection[];
  /** By the hash of the signing scheme. */
  readonly pcrDigest: Buffer;
}

export interface TpmsAttest {
  /** TPM_ST. */
  readonly typeId: number;
  /** `TPM_ST_ATTEST_QUOTE`, or another kind that is no quote. */
  readonly type: string;
  readonly qualifiedSigner: Buffer;
  readonly extraData: Buffer;
  readonly clock: TpmClock;
  /** 16 hex digits, vendor-specific. */
  readonly firmwareVersion: string;
  /** Present only in a quote. */
  readonly quote: QuoteInfo | undefined;
}

/** The TPMS_ATTEST in a TPM2B_ATTEST (Part 2 10.12.13), whose size nobody signs; other bytes as they are. */
export function unsizedAttest(bytes: Buffer): Buffer {
  const isSized = bytes.length > 2 && bytes.readUInt16BE() === bytes.length - 2;
  return isSized ? bytes.subarray(2) : bytes;
}

/**
 * Reads a TPMS_ATTEST (Part 2 10.12.12). Errors: EVIDENCE_MALFORMED: not made inside a TPM (magic),
 * unknown type or bank, a value out of range, truncated, or bytes after it.
 */
export function parseAttest(bytes: Bytes): TpmsAttest {
  const cursor = new Cursor(bytes, 'TPMS_ATTEST');
  const magic = cursor.u32be();
  if (magic !== TPM_GENERATED) {
    cursor.fail(`magic ${magic.toString(16).padStart(8, '0')} instead of ff544347`);
  }
  const typeId = cursor.u16be();
  const type = ATTEST_TYPES.get(typeId) ?? cursor.fail(`unknown type ${algText(typeId)}`);
  const qualifiedSigner = cursor.sized();
  const extraData = cursor.sized();
  const clock = clockOf(cursor);
  const firmwareVersion = cursor.take(8).toString('hex');
  const common = { typeId, type, qualifiedSigner, extraData, clock, firmwareVersion };
  if (typeId !== QUOTE) return { ...common, quote: undefined };
  const quote = { selections: selectionsOf(cursor), pcrDigest: cursor.sized() };
  cursor.end();
  return { ...common, quote };
}

function clockOf(cursor: Cursor): TpmClock {
  const clock = cursor.take(8).readBigUInt64BE();
  if (clock > BigInt(Number.MAX_SAFE_INTEGER)) cursor.fail(`a clock of ${clock} ms`);
  const resetCount = cursor.u32be();
  const restartCount = cursor.u32be();
  const safe = cursor.u8();
  if (safe > 1) cursor.fail(`"safe" is ${safe}, neither YES nor NO`);
  return { clockMs: Number(clock), resetCount, restartCount, safe: safe === 1 };
}

/** TPML_PCR_SELECTION (Part 2 10.9.7). */
function selectionsOf(cursor: Cursor): PcrSelection[] {
  const count = cursor.u32be();
  if (count > MAX_SELECTIONS) cursor.fail(`${count} PCR selections`);
  return Array.from({ length: count }, () => {
    const id = cursor.u16be();
    const bank = hashById(id) ?? cursor.fail(`unknown PCR bank ${algText(id)}`);
    const bitmap = cursor.take(cursor.u8());
    return { bank, pcrs: [...bitmap].flatMap(bitsOf) };
  });
}

const bitsOf = (byte: number, index: number): number[] =>
  [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte & (1 << bit)) !== 0).map((bit) => index * 8 + bit);
