// Numbers of TPM 2.0 Part 2 6.3 (TPM_ALG_ID) and 6.4 (TPM_ECC_CURVE), and their names here. Constants
// only; an algorithm that is not listed is not accepted anywhere.

/** Hashes that may name a PCR bank, an object or a signature scheme. */
export const HASH_NAMES = ['sha1', 'sha256', 'sha384', 'sha512'] as const;
export type HashName = (typeof HASH_NAMES)[number];

export interface HashAlgorithm {
  readonly id: number;
  readonly name: HashName;
  readonly sizeBytes: number;
}

const HASHES: readonly HashAlgorithm[] = [
  { id: 0x0004, name: 'sha1', sizeBytes: 20 },
  { id: 0x000b, name: 'sha256', sizeBytes: 32 },
  { id: 0x000c, name: 'sha384', sizeBytes: 48 },
  { id: 0x000d, name: 'sha512', sizeBytes: 64 },
];

const BY_NAME: Readonly<Record<HashName, HashAlgorithm>> = {
  sha1: HASHES[0] as HashAlgorithm,
  sha256: HASHES[1] as HashAlgorithm,
  sha384: HASHES[2] as HashAlgorithm,
  sha512: HASHES[3] as HashAlgorithm,
};

export const hashById = (id: number): HashAlgorithm | undefined =>
  HASHES.find((hash) => hash.id === id);

/** By the size of its digest. */
export const hashBySize = (sizeBytes: number): HashAlgorithm | undefined =>
  HASHES.find((hash) => hash.sizeBytes === sizeBytes);

export const hashByName = (name: HashName): HashAlgorithm => BY_NAME[name];

export const ALG = {
  RSA: 0x0001,
  AES: 0x0006,
  NULL: 0x0010,
  RSASSA: 0x0014,
  RSAES: 0x0015,
  RSAPSS: 0x0016,
  OAEP: 0x0017,
  ECDSA: 0x0018,
  ECDH: 0x0019,
  ECDAA: 0x001a,
  SM2: 0x001b,
  ECSCHNORR: 0x001c,
  ECC: 0x0023,
  CFB: 0x0043,
} as const;

export interface Curve {
  readonly id: number;
  /** JWK name (RFC 7518 6.2.1.1). */
  readonly name: 'P-256' | 'P-384' | 'P-521';
  /** `asymmetricKeyDetails.namedCurve` of node:crypto. */
  readonly openSslName: string;
  readonly sizeBytes: number;
}

const CURVES: readonly Curve[] = [
  { id: 0x0003, name: 'P-256', openSslName: 'prime256v1', sizeBytes: 32 },
  { id: 0x0004, name: 'P-384', openSslName: 'secp384r1', sizeBytes: 48 },
  { id: 0x0005, name: 'P-521', openSslName: 'secp521r1', sizeBytes: 66 },
];

export const curveById = (id: number): Curve | undefined => CURVES.find((curve) => curve.id === id);

/** By the name that OpenSSL has for it. */
export const curveByOpenSslName = (name: string): Curve | undefined =>
  CURVES.find(({ openSslName }) => openSslName === name);

/** `0x0023`, for error texts. */
export const algText = (id: number): string => `0x${id.toString(16).padStart(4, '0')}`;
