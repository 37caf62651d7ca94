// The public area of a TPM object: own parser, Name and key. It trusts nothing it reads; what the
// attributes promise holds only for a key that credential activation has tied to a TPM.
import { hash, type KeyObject } from 'node:crypto';
import { publicKeyFromJwk } from '#agent/base/asymmetric.ts';
import { b64url, concat, u16, type Bytes } from '#agent/base/bytes.ts';
import { Cursor, malformed } from '#attest/cursor.ts';
import { ALG, algText, curveById, hashById, type Curve, type HashAlgorithm } from './algorithms.ts';

/** TPMA_OBJECT (TPM 2.0 Part 2 8.3), the bits that matter to a verifier. */
export const ATTRIBUTE = {
  fixedTPM: 1 << 1,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  noDA: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

export type AttributeName = keyof typeof ATTRIBUTE;

interface CommonPublic {
  readonly nameAlg: HashAlgorithm;
  /** TPMA_OBJECT as it stands. */
  readonly attributes: number;
  /** TPM_ALG_ID and hash of the key's own scheme; absent for TPM_ALG_NULL. */
  readonly scheme: { readonly id: number; readonly hash: HashAlgorithm | undefined } | undefined;
  /** Key bits of the AES-CFB that a storage key protects with; absent for other keys. */
  readonly aesBits: number | undefined;
  /** nameAlg || H(TPMT_PUBLIC) (TPM 2.0 Part 1 16). */
  readonly name: Buffer;
  readonly key: KeyObject;
}

export interface RsaPublic extends CommonPublic {
  readonly type: 'RSA';
  readonly bits: number;
}

export interface EccPublic extends CommonPublic {
  readonly type: 'ECC';
  readonly curve: Curve;
  /** Padded to the size of the field. */
  readonly x: Buffer;
}

export type TpmPublic = RsaPublic | EccPublic;

/**
 * Reads a TPMT_PUBLIC or TPM2B_PUBLIC (TPM 2.0 Part 2 12.2.4, 12.2.5) of an RSA or ECC key.
 * Errors: EVIDENCE_MALFORMED, also for bytes after the structure and points off the curve.
 */
export function parsePublic(bytes: Bytes): TpmPublic {
  const area = withoutSize(bytes);
  const cursor = new Cursor(area, 'TPMT_PUBLIC');
  const type = cursor.u16be();
  const nameAlg = hashOf(cursor, 'name algorithm');
  const attributes = cursor.u32be();
  cursor.sized(); // authPolicy: what it demands shows when the key is used
  const aesBits = symmetricOf(cursor);
  const scheme = schemeOf(cursor);
  const name = concat(u16(nameAlg.id), hash(nameAlg.name, area, 'buffer'));
  const common = { nameAlg, attributes, scheme, aesBits, name };
  switch (type) {
    case ALG.RSA:
      return rsa(cursor, common);
    case ALG.ECC:
      return ecc(cursor, common);
    default:
      return cursor.fail(`type ${algText(type)} is neither RSA nor ECC`);
  }
}

/** Those of `required` that `key` lacks, in the order given. */
export const missingAttributes = (
  key: TpmPublic,
  required: readonly AttributeName[],
): AttributeName[] => required.filter((name) => (key.attributes & ATTRIBUTE[name]) === 0);

/** What an attestation key must be: it signs only what the TPM itself composed (ATTESTATION trap 5). */
export const ATTESTATION_KEY: readonly AttributeName[] = [
  'restricted',
  'sign',
  'fixedTPM',
  'fixedParent',
  'sensitiveDataOrigin',
];

/** A TPM2B_PUBLIC starts with its size; no TPMT_PUBLIC type can be mistaken for one. */
function withoutSize(bytes: Bytes): Buffer {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return all.length >= 2 && all.readUInt16BE() === all.length - 2 ? all.subarray(2) : all;
}

type Common = Omit<CommonPublic, 'key'>;

function rsa(cursor: Cursor, common: Common): RsaPublic {
  const bits = cursor.u16be();
  const exponent = cursor.u32be() || 65_537; // zero stands for the default (Part 2 12.2.3.5)
  const modulus = cursor.sized();
  cursor.end();
  if (modulus.length * 8 !== bits) {
    cursor.fail(`a modulus of ${modulus.length} bytes in a key of ${bits} bits`);
  }
  const e = Buffer.alloc(4);
  e.writeUInt32BE(exponent);
  const key = keyOf({
    kty: 'RSA',
    n: b64url(modulus),
    e: b64url(e.subarray(e.findIndex(Boolean))),
  });
  return { ...common, type: 'RSA', bits, key };
}

function ecc(cursor: Cursor, common: Common): EccPublic {
  const curveId = cursor.u16be();
  const curve = curveById(curveId) ?? cursor.fail(`unknown curve ${algText(curveId)}`);
  const kdf = cursor.u16be();
  if (kdf !== ALG.NULL) cursor.u16be();
  const x = padded(cursor.sized(), curve, cursor);
  const y = padded(cursor.sized(), curve, cursor);
  cursor.end();
  const key = keyOf({ kty: 'EC', crv: curve.name, x: b64url(x), y: b64url(y) });
  return { ...common, type: 'ECC', curve, x, key };
}

/** Left-padded to the field, as the KDFs and JWK want it; a TPM may leave leading zeros out. */
function padded(coordinate: Buffer, curve: Curve, cursor: Cursor): Buffer {
  if (coordinate.length > curve.sizeBytes) {
    cursor.fail(`a coordinate of ${coordinate.length} bytes on ${curve.name}`);
  }
  return concat(Buffer.alloc(curve.sizeBytes - coordinate.length), coordinate);
}

function keyOf(jwk: Parameters<typeof publicKeyFromJwk>[0]): KeyObject {
  try {
    return publicKeyFromJwk(jwk);
  } catch (cause) {
    throw malformed('TPMT_PUBLIC', 'not a valid public key', cause);
  }
}

function hashOf(cursor: Cursor, what: string): HashAlgorithm {
  const id = cursor.u16be();
  return hashById(id) ?? cursor.fail(`unknown ${what} ${algText(id)}`);
}

/** TPMT_SYM_DEF_OBJECT (Part 2 11.1.7). */
function symmetricOf(cursor: Cursor): number | undefined {
  const id = cursor.u16be();
  if (id === ALG.NULL) return undefined;
  const bits = cursor.u16be();
  const mode = cursor.u16be();
  return id === ALG.AES && mode === ALG.CFB ? bits : undefined;
}

/** TPMT_RSA_SCHEME and TPMT_ECC_SCHEME (Part 2 11.2.4.2, 11.2.5.6) share their form. */
function schemeOf(cursor: Cursor): CommonPublic['scheme'] {
  const id = cursor.u16be();
  if (id === ALG.NULL) return undefined;
  if (id === ALG.RSAES) return { id, hash: undefined };
  const hash = hashOf(cursor, 'scheme hash');
  if (id === ALG.ECDAA) cursor.u16be();
  return { id, hash };
}
