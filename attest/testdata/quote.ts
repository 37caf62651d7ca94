// Makes quotes with keys of its own, every field of them as a test wants it: what a TPM would never
// sign, and what software signs in its place. Nothing of the product imports it.
import { constants, hash, sign, type KeyObject } from 'node:crypto';
import { concat, fromB64url, fromHex, u16, u32, u64, type Bytes } from '#agent/base/bytes.ts';
import { ATTRIBUTE } from '#attest/tpm/public.ts';
import { makeKeys } from './certificate.ts';

const sized = (bytes: Bytes): Buffer => concat(u16(bytes.length), bytes);

const SHA256 = 0x000b;
const NULL = 0x0010;
const SCHEME = { RSASSA: 0x0014, RSAPSS: 0x0016, ECDSA: 0x0018 } as const;

/** Those of a key that tpm2_createak makes. */
export const AK_ATTRIBUTES =
  ATTRIBUTE.fixedTPM |
  ATTRIBUTE.fixedParent |
  ATTRIBUTE.sensitiveDataOrigin |
  ATTRIBUTE.restricted |
  ATTRIBUTE.sign;

export interface MadeAk {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** TPMT_PUBLIC. */
  readonly area: Buffer;
}

const rsa = makeKeys('RSA');
const ec = makeKeys('P-256');

/** An attestation key; `attributes` are TPMA_OBJECT, a key of no `scheme` is bound to none. */
export function makeAk(
  type: 'RSA' | 'ECC',
  attributes = AK_ATTRIBUTES,
  scheme: keyof typeof SCHEME | 'none' = type === 'RSA' ? 'RSASSA' : 'ECDSA',
): MadeAk {
  const { publicKey, privateKey } = type === 'RSA' ? rsa : ec;
  const { n, x, y } = publicKey.export({ format: 'jwk' });
  const bound = scheme === 'none' ? u16(NULL) : concat(u16(SCHEME[scheme]), u16(SHA256));
  const common = concat(u16(SHA256), u32(attributes), u16(0), u16(NULL), bound);
  const area =
    type === 'RSA'
      ? concat(u16(0x0001), common, u16(2048), u32(0), coordinate(n))
      : concat(u16(0x0023), common, u16(0x0003), u16(NULL), coordinate(x), coordinate(y));
  return { publicKey, privateKey, area };
}

const coordinate = (text = ''): Buffer => sized(fromB64url(text));

/** The values that made quotes are over: PCR 0 to 10 of the SHA-256 bank. */
export const madePcrs = new Map(
  Array.from({ length: 11 }, (_, pcr) => [pcr, Buffer.alloc(32, pcr + 1)]),
);
export const madeNonce = Buffer.alloc(20, 0x4e);

/** Fields of a TPMS_ATTEST (TPM 2.0 Part 2 10.12.12), each as bytes. */
export const goodFields = {
  magic: fromHex('ff544347'),
  type: fromHex('8018'),
  qualifiedSigner: sized(Buffer.alloc(34, 3)),
  extraData: sized(madeNonce),
  clock: u64(1000),
  resetCount: u32(2),
  restartCount: u32(1),
  safe: fromHex('01'),
  firmwareVersion: fromHex('2019102300163636'),
  selectionCount: u32(1),
  bank: u16(SHA256),
  pcrSelect: fromHex('03ff0700'),
  pcrDigest: sized(hash('sha256', concat(...madePcrs.values()), 'buffer')),
} satisfies Record<string, Buffer>;

export type AttestField = keyof typeof goodFields;

/** A TPMS_ATTEST with some fields replaced. */
export const makeAttest = (changed: Partial<Record<AttestField, Bytes>> = {}): Buffer =>
  concat(...Object.values({ ...goodFields, ...changed }));

/** What `tpm2_quote -f plain` writes: PKCS #1 or DER. */
export const plainSignature = ({ privateKey }: MadeAk, message: Bytes, pss = false): Buffer =>
  pss
    ? sign('sha256', message, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING })
    : sign('sha256', message, privateKey);

/** TPMT_SIGNATURE by the key. */
export function tpmSignature({ privateKey }: MadeAk, message: Bytes): Buffer {
  if (privateKey.asymmetricKeyType === 'rsa') {
    return concat(u16(SCHEME.RSASSA), u16(SHA256), sized(sign('sha256', message, privateKey)));
  }
  const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return concat(
    u16(SCHEME.ECDSA),
    u16(SHA256),
    sized(raw.subarray(0, 32)),
    sized(raw.subarray(32)),
  );
}
