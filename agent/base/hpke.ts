// HPKE of one message in base mode (RFC 9180 5.1.1 and 6.1), under X-Wing (draft-connolly-cfrg-xwing-kem), HKDF-SHA-256
// and AES-256-GCM, over the primitives of OpenSSL. Only asymmetric.ts uses it, and counts what it does.
import { Buffer } from 'node:buffer';
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { concat, u16, utf8, wipe, type Bytes } from './bytes.ts';

export interface Sealed {
  /** 1,120 bytes. */
  readonly enc: Bytes;
  readonly ciphertext: Bytes;
}

type Kem = 'ml-kem-768' | 'x25519';

const MLKEM_PUBLIC_BYTES = 1_184;
const MLKEM_CIPHERTEXT_BYTES = 1_088;
const X25519_BYTES = 32;
const PUBLIC_BYTES = MLKEM_PUBLIC_BYTES + X25519_BYTES;
const ENC_BYTES = MLKEM_CIPHERTEXT_BYTES + X25519_BYTES;
const TAG_BYTES = 16;

const NOTHING = new Uint8Array();
/** What every derivation begins with: X-Wing 0x647a, HKDF-SHA-256 1, AES-256-GCM 2 (RFC 9180 7). */
const SUITE = concat(utf8('HPKE'), u16(0x647a), u16(0x0001), u16(0x0002));
/** `XWingLabel`. */
const XWING_LABEL = utf8('\\.//^\\');

// --- X-Wing (draft-connolly-cfrg-xwing-kem 5) -----------------------------------------------------

interface PrivateHalves {
  readonly mlkem: KeyObject;
  readonly x25519: KeyObject;
  /** Raw. */
  readonly x25519Public: Buffer;
}

/** What a 32-byte seed stands for: ML-KEM's d || z and the X25519 key. */
function expanded(seed: Bytes): PrivateHalves {
  const bytes = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const mlkem = privateKey('ml-kem-768', 'raw-seed', bytes.subarray(0, 64));
  const x25519 = privateKey('x25519', 'raw-private', bytes.subarray(64));
  wipe(bytes);
  return { mlkem, x25519, x25519Public: rawPublic(x25519) };
}

/** The public half, 1,216 bytes, of a key by its 32-byte seed. */
export function xwingPublic(seed: Bytes): Buffer {
  const { mlkem, x25519Public } = expanded(seed);
  return concat(rawPublic(mlkem), x25519Public);
}

/** Errors: RangeError where `to` is no public half; Error where its X25519 part is of low order. */
function encapsulated(to: Bytes): { readonly enc: Buffer; readonly shared: Buffer } {
  if (to.length !== PUBLIC_BYTES) throw new RangeError(`X-Wing key of ${to.length} bytes`);
  const x25519Public = to.subarray(MLKEM_PUBLIC_BYTES);
  const ofMlkem = encapsulate(publicKey('ml-kem-768', to.subarray(0, MLKEM_PUBLIC_BYTES)));
  const ephemeral = generateKeyPairSync('x25519');
  const encX = ephemeral.publicKey.export({ format: 'raw-public' });
  const ofX = diffieHellman({
    privateKey: ephemeral.privateKey,
    publicKey: publicKey('x25519', x25519Public),
  });
  const shared = combined(ofMlkem.sharedKey, ofX, encX, x25519Public);
  return { enc: concat(ofMlkem.ciphertext, encX), shared };
}

/** Errors: RangeError where `enc` is of another length; Error where its X25519 part is of low order. */
function decapsulated(seed: Bytes, enc: Bytes): Buffer {
  if (enc.length !== ENC_BYTES) throw new RangeError(`enc of ${enc.length} bytes`);
  const { mlkem, x25519, x25519Public } = expanded(seed);
  const encX = enc.subarray(MLKEM_CIPHERTEXT_BYTES);
  const ofMlkem = decapsulate(mlkem, enc.subarray(0, MLKEM_CIPHERTEXT_BYTES));
  const ofX = diffieHellman({ privateKey: x25519, publicKey: publicKey('x25519', encX) });
  return combined(ofMlkem, ofX, encX, x25519Public);
}

/** The shared secret, 32 bytes; those it is made of are wiped. */
function combined(ofMlkem: Buffer, ofX: Buffer, encX: Bytes, x25519Public: Bytes): Buffer {
  const hash = createHash('sha3-256').update(ofMlkem).update(ofX).update(encX);
  const shared = hash.update(x25519Public).update(XWING_LABEL).digest();
  wipe(ofMlkem, ofX);
  return shared;
}

const privateKey = (type: Kem, format: 'raw-seed' | 'raw-private', raw: Buffer): KeyObject =>
  createPrivateKey({ key: raw, format, asymmetricKeyType: type });

const publicKey = (type: Kem, raw: Bytes): KeyObject =>
  createPublicKey({ key: Buffer.from(raw), format: 'raw-public', asymmetricKeyType: type });

const rawPublic = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'raw-public' });

// --- HPKE (RFC 9180) ------------------------------------------------------------------------------

/** LabeledExtract (4). */
const extracted = (salt: Bytes, label: string, ikm: Bytes): Buffer =>
  createHmac('sha256', salt)
    .update(utf8('HPKE-v1'))
    .update(SUITE)
    .update(utf8(label))
    .update(ikm)
    .digest();

/** LabeledExpand (4) of up to 32 bytes. */
const expandedTo = (lenBytes: number, prk: Bytes, label: string, info: Bytes): Buffer =>
  createHmac('sha256', prk)
    .update(u16(lenBytes))
    .update(utf8('HPKE-v1'))
    .update(SUITE)
    .update(utf8(label))
    .update(info)
    .update(Uint8Array.of(1))
    .digest()
    .subarray(0, lenBytes);

/** KeySchedule (5.1) without a PSK: key and nonce of the first and only message. `shared` is wiped. */
function schedule(shared: Buffer, info: Bytes): { readonly key: Buffer; readonly nonce: Buffer } {
  const context = concat(
    Uint8Array.of(0), // base mode
    extracted(NOTHING, 'psk_id_hash', NOTHING),
    extracted(NOTHING, 'info_hash', info),
  );
  const secret = extracted(shared, 'secret', NOTHING);
  const key = expandedTo(32, secret, 'key', context);
  const nonce = expandedTo(12, secret, 'base_nonce', context);
  wipe(shared, secret);
  return { key, nonce };
}

/** Seals `plaintext` to an X-Wing public half. Errors: RangeError, Error on a malformed one. */
export function hpkeSeal(to: Bytes, info: Bytes, plaintext: Bytes): Sealed {
  const { enc, shared } = encapsulated(to);
  const { key, nonce } = schedule(shared, info);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const ciphertext = concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
  wipe(key);
  return { enc, ciphertext };
}

/** What was sealed to the key of this 32-byte seed. Errors: Error where it does not open. */
export function hpkeOpen(seed: Bytes, { enc, ciphertext }: Sealed, info: Bytes): Buffer {
  if (ciphertext.length < TAG_BYTES) throw new RangeError('ciphertext without a tag');
  const { key, nonce } = schedule(decapsulated(seed, enc), info);
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
    return concat(decipher.update(ciphertext.subarray(0, -TAG_BYTES)), decipher.final());
  } finally {
    wipe(key);
  }
}
