// PROTOCOL 4.5: a sealed message, by HPKE base mode (RFC 9180 5.1.1) over X-Wing
// (draft-connolly-cfrg-xwing-kem), HKDF-SHA-256 and AES-256-GCM.
import { gcm } from '@noble/ciphers/aes.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_512, shake256 } from '@noble/hashes/sha3.js';
import { field, hex, join, same, truncate, uint } from './bytes.ts';
import { decapsulateMlKem768, publicHalf, x25519 } from './keys.ts';
import { refuse } from './refused.ts';
import type { Given, Rows } from './vectors.ts';

const EMPTY = new Uint8Array();
const MLKEM_CIPHERTEXT_BYTES = 1088;
const ENC_BYTES = 1120;
const XWING_LABEL = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);

/** The halves of an X-Wing seed: ML-KEM's d || z, and X25519's. */
function halves(seed: Uint8Array): { readonly mlkem: Uint8Array; readonly x: Uint8Array } {
  const expanded = shake256(seed, { dkLen: 96 });
  return { mlkem: expanded.subarray(0, 64), x: expanded.subarray(64) };
}

/** The public half, 1,216 bytes, of an X-Wing seed. */
export function xwingPublic(seed: Uint8Array): Uint8Array {
  const { mlkem, x } = halves(seed);
  return join(publicHalf('ml-kem-768', mlkem), publicHalf('x25519', x));
}

/** The shared secret that `enc` carries to the holder of a seed. If `ekm` is given, refuses an enc
 * that is not the encapsulation by that randomness. */
function decapsulated(seed: Uint8Array, enc: Uint8Array, ekm?: Uint8Array): Uint8Array {
  if (enc.length !== ENC_BYTES) refuse('4.5', 'enc has another length');
  const { mlkem, x } = halves(seed);
  const encX = enc.slice(MLKEM_CIPHERTEXT_BYTES);
  const secretM = decapsulateMlKem768(mlkem, enc.slice(0, MLKEM_CIPHERTEXT_BYTES));
  const secretX = x25519(x, encX) ?? refuse('4.5', 'enc is a point of small order');
  if (ekm !== undefined) {
    // FIPS 203: K of G(m || H(ek)) comes out of a ciphertext only if it is that of m (algorithms 17, 18).
    const madeM = sha3_512(join(ekm.slice(0, 32), sha3_256(publicHalf('ml-kem-768', mlkem))));
    const madeX = publicHalf('x25519', ekm.slice(32));
    if (!same(truncate(32, madeM), secretM) || !same(madeX, encX)) refuse('4.5', 'not by this ekm');
  }
  return sha3_256(join(secretM, secretX, encX, publicHalf('x25519', x), XWING_LABEL));
}

const SUITE_ID = join('HPKE', uint(2, 0x647a), uint(2, 0x0001), uint(2, 0x0002));

/** LabeledExtract of RFC 9180 4. */
const labeledExtract = (salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array =>
  extract(sha256, join('HPKE-v1', SUITE_ID, label, ikm), salt);

/** LabeledExpand of RFC 9180 4. */
const labeledExpand = (prk: Uint8Array, label: string, info: Uint8Array, n: number): Uint8Array =>
  expand(sha256, prk, join(uint(2, n), 'HPKE-v1', SUITE_ID, label, info), n);

/** The plaintext of the one message of an HPKE context; what does not open is refused. */
function hpkeOpen(shared: Uint8Array, info: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const context = join(
    Uint8Array.of(0),
    labeledExtract(EMPTY, 'psk_id_hash', EMPTY),
    labeledExtract(EMPTY, 'info_hash', info),
  );
  const secret = labeledExtract(shared, 'secret', EMPTY);
  const key = labeledExpand(secret, 'key', context, 32);
  const nonce = labeledExpand(secret, 'base_nonce', context, 12);
  try {
    return gcm(key, nonce).decrypt(ciphertext);
  } catch {
    return refuse('4.5', 'it does not open');
  }
}

const infoOf = (given: Given): Uint8Array =>
  join(
    'tidelock/seal/v1',
    given.bytes('recordHash'),
    field(given.text('node')),
    given.bytes('sid'),
  );

function openSealed(given: Given, ekm?: Uint8Array): Uint8Array {
  const shared = decapsulated(given.bytes('sealSeed'), given.bytes('enc'), ekm);
  return hpkeOpen(shared, infoOf(given), given.bytes('ciphertext'));
}

/** The rows of section 4.5. */
export const sealedRows: Rows = {
  sealed: (given) => ({
    sealKey: hex(truncate(8, sha256(xwingPublic(given.bytes('sealSeed'))))),
    info: hex(infoOf(given)),
    plain: hex(openSealed(given, given.bytes('ekm'))),
  }),
  readSealed: (given) => ({ plain: hex(openSealed(given)) }),
};
