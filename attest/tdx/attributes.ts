// The bits of TD attributes and XFAM (Intel TDX Module ABI Reference, ATTRIBUTES; SDM volume 1 13.1, XCR0):
// what a trust domain was allowed to use, and whether its host may look inside.
import type { Bytes } from '#agent/base/bytes.ts';

const TD_BITS = {
  debug: 0,
  lass: 27,
  sept_ve_disable: 28,
  migratable: 29,
  pks: 30,
  kl: 31,
  perfmon: 63,
} as const;

const XFAM_BITS = {
  x87: 0,
  sse: 1,
  avx: 2,
  avx512_opmask: 5,
  avx512_zmm_hi256: 6,
  avx512_hi16_zmm: 7,
  pt: 8,
  pku: 9,
  pasid: 10,
  cet_user: 11,
  cet_supervisor: 12,
  hdc: 13,
  uli: 14,
  lbr: 15,
  hwp: 16,
  amx_tilecfg: 17,
  amx_tiledata: 18,
  apx: 19,
} as const;

/** Bits 7:0, TUD: with any of them set the domain is under debug and its memory is no secret. */
const UNDER_DEBUG = 0xffn;

type Flags<T> = Readonly<Record<keyof T, boolean>>;

export interface TdAttributes {
  readonly flags: Flags<typeof TD_BITS>;
  readonly underDebug: boolean;
  /** Numbers of set bits that have no meaning yet. */
  readonly unknownBits: readonly number[];
}

/** `bytes` are the 8 of TDATTRIBUTES, little-endian. */
export function tdAttributes(bytes: Buffer): TdAttributes {
  const value = bytes.readBigUInt64LE();
  const named = Object.values<number>(TD_BITS);
  return {
    flags: flagsOf(TD_BITS, value),
    underDebug: (value & UNDER_DEBUG) !== 0n,
    unknownBits: setBits(value).filter((bit) => bit > 7 && !named.includes(bit)),
  };
}

/** `bytes` are the 8 of XFAM, little-endian; names of the features that are set. */
export const xfamFeatures = (bytes: Buffer): string[] =>
  Object.entries(flagsOf(XFAM_BITS, bytes.readBigUInt64LE()))
    .filter(([, set]) => set)
    .map(([name]) => name);

/** `bytes & mask`, as hex. */
export const masked = (bytes: Bytes, mask: Bytes): string =>
  Buffer.from(bytes.map((byte, index) => byte & (mask[index] ?? 0))).toString('hex');

const flagsOf = <T extends Readonly<Record<string, number>>>(bits: T, value: bigint): Flags<T> =>
  Object.fromEntries(
    Object.entries(bits).map(([name, bit]) => [name, isSet(value, bit)]),
  ) as Flags<T>;

const setBits = (value: bigint): number[] =>
  Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => isSet(value, bit));

const isSet = (value: bigint, bit: number): boolean => ((value >> BigInt(bit)) & 1n) === 1n;
