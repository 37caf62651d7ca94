// The bit fields of an SNP report by the names of the specification: what the guest's owner asked of the
// platform (GUEST_POLICY, AMD 56860 4.3) and how the platform is set up (PLATFORM_INFO, 7.3).

const POLICY_BITS = {
  smt: 16,
  migrate_ma: 18,
  debug: 19,
  single_socket: 20,
  cxl_allow: 21,
  mem_aes_256_xts: 22,
  rapl_dis: 23,
  ciphertext_hiding: 24,
  page_swap_disable: 25,
} as const;
/** Must be one. */
const POLICY_RESERVED_ONE = 17;

const PLATFORM_BITS = {
  smt_en: 0,
  tsme_en: 1,
  ecc_en: 2,
  rapl_dis: 3,
  ciphertext_hiding_en: 4,
  alias_check_complete: 5,
  tio_en: 7,
} as const;

export type PolicyFlag = keyof typeof POLICY_BITS;
export type PlatformFlag = keyof typeof PLATFORM_BITS;

export interface GuestPolicy extends Readonly<Record<PolicyFlag, boolean>> {
  /** The least ABI version that the guest runs on. */
  readonly abi_major: number;
  readonly abi_minor: number;
}

export const guestPolicy = (policy: bigint): GuestPolicy => ({
  abi_major: Number((policy >> 8n) & 0xffn),
  abi_minor: Number(policy & 0xffn),
  ...flagsOf(POLICY_BITS, policy),
});

export const platformInfo = (info: bigint): Readonly<Record<PlatformFlag, boolean>> =>
  flagsOf(PLATFORM_BITS, info);

/** What the guest policy has that the specification forbids, in words; undefined when nothing. */
export function policyFault(policy: bigint): string | undefined {
  const unknown = unknownBits(
    { ...POLICY_BITS, reserved: POLICY_RESERVED_ONE },
    (policy >> 16n) << 16n,
  );
  if (unknown !== 0n) return `the guest policy sets reserved bits 0x${unknown.toString(16)}`;
  return isSet(policy, POLICY_RESERVED_ONE) ? undefined : 'bit 17 of the guest policy is not one';
}

/** Bits of PLATFORM_INFO that no known specification names. */
export const unknownPlatformBits = (info: bigint): bigint => unknownBits(PLATFORM_BITS, info);

const isSet = (value: bigint, bit: number): boolean => ((value >> BigInt(bit)) & 1n) === 1n;

const flagsOf = <K extends string>(
  bits: Readonly<Record<K, number>>,
  value: bigint,
): Readonly<Record<K, boolean>> =>
  Object.fromEntries(
    Object.entries<number>(bits).map(([name, bit]) => [name, isSet(value, bit)]),
  ) as Record<K, boolean>;

const unknownBits = (bits: Readonly<Record<string, number>>, value: bigint): bigint =>
  Object.values(bits).reduce((rest, bit) => rest & ~(1n << BigInt(bit)), value);
