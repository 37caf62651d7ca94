// AEADs and AES-CTR of the OpenSSL that Node itself uses, called without Node's objects around
// them: node:crypto makes one to be collected for each message, copies what it has encrypted, and takes
// 4 to 8 times as long (docs/decisions/0008). Keys and lengths are checked here, because OpenSSL does not.
import { Buffer } from 'node:buffer';
import { libc } from './libc.ts';

type Pointer = bigint | null;

const ctxNew: () => Pointer = libc.func('void *EVP_CIPHER_CTX_new()');
const fetchCipher: (library: null, name: string, properties: null) => Pointer = libc.func(
  'void *EVP_CIPHER_fetch(void *library, const char *name, const char *properties)',
);
type Init = (ctx: Pointer, type: Pointer, engine: null, key: Uint8Array, iv: Uint8Array) => number;
const encryptInit: Init = libc.func(
  'int EVP_EncryptInit_ex(void *ctx, void *type, void *engine, const void *key, const void *iv)',
);
const decryptInit: Init = libc.func(
  'int EVP_DecryptInit_ex(void *ctx, void *type, void *engine, const void *key, const void *iv)',
);
type Update = (
  ctx: Pointer,
  out: Uint8Array | null,
  outLength: Buffer,
  bytes: Uint8Array,
  length: number,
) => number;
const encryptUpdate: Update = libc.func(
  'int EVP_EncryptUpdate(void *ctx, void *out, void *outLength, const void *bytes, int length)',
);
const decryptUpdate: Update = libc.func(
  'int EVP_DecryptUpdate(void *ctx, void *out, void *outLength, const void *bytes, int length)',
);
type Final = (ctx: Pointer, out: Uint8Array, outLength: Buffer) => number;
const encryptFinal: Final = libc.func(
  'int EVP_EncryptFinal_ex(void *ctx, void *out, void *outLength)',
);
const decryptFinal: Final = libc.func(
  'int EVP_DecryptFinal_ex(void *ctx, void *out, void *outLength)',
);
const control: (ctx: Pointer, type: number, length: number, value: Uint8Array) => number =
  libc.func('int EVP_CIPHER_CTX_ctrl(void *ctx, int type, int length, void *value)');
const clearErrors: () => void = libc.func('void ERR_clear_error()');
/** EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG of openssl/evp.h. */
const GET_TAG = 0x10;
const SET_TAG = 0x11;

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const CTR_IV_BYTES = 16;
export const TAG_BYTES = 16;
/** Up to here copying a message costs less than a call more. */
const JOIN_BYTES = 1024;

const written = Buffer.alloc(4);
const nothing = Buffer.alloc(32);
const NONE = Buffer.alloc(0);
/** What tags pass through: a view of the message for each would cost more than these 16 bytes. */
const tag = Buffer.alloc(16);

/**
 * A cipher of OpenSSL with the contexts of this thread, keyed anew for every message. What it makes of the
 * last key stays in them until the next one.
 */
export interface Cipher {
  readonly name: string;
  readonly type: Pointer;
  readonly sealing: Pointer;
  readonly opening: Pointer;
}

/** By OpenSSL's name, `AES-256-GCM`. Errors: Error when this OpenSSL has none of it. */
export function cipherOf(name: string): Cipher {
  const type = fetchCipher(null, name, null);
  if (type === null) throw new Error(`OpenSSL has no ${name}`);
  return { name, type, sealing: ctxNew(), opening: ctxNew() };
}

/**
 * Seals `plain`, then `tail`, into the start of `out`: ciphertext and tag, whose length it returns.
 * `key` 32 bytes, `nonce` 12. A cipher that takes a message in one piece only must have no `tail`.
 * Errors: RangeError for another length or too little room.
 */
export function sealInto(
  out: Uint8Array,
  cipher: Cipher,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
  tail: Uint8Array = NONE,
): number {
  const length = plain.length + tail.length;
  const { sealing } = cipher;
  check(cipher, key, nonce, out.length >= length + TAG_BYTES);
  demand(cipher, encryptInit(sealing, cipher.type, null, key, nonce));
  if (aad.length > 0) demand(cipher, encryptUpdate(sealing, null, written, aad, aad.length));
  if (length <= JOIN_BYTES) {
    out.set(plain);
    out.set(tail, plain.length);
    if (length > 0) demand(cipher, encryptUpdate(sealing, out, written, out, length));
  } else {
    demand(cipher, encryptUpdate(sealing, out, written, plain, plain.length));
    const rest = out.subarray(plain.length);
    if (tail.length > 0) demand(cipher, encryptUpdate(sealing, rest, written, tail, tail.length));
  }
  demand(cipher, encryptFinal(sealing, nothing, written));
  demand(cipher, control(sealing, GET_TAG, TAG_BYTES, tag));
  out.set(tag, length);
  return length + TAG_BYTES;
}

/**
 * Opens `sealed`, ciphertext and tag, into the start of `out` and returns the length of the plaintext;
 * undefined, with nothing of it left in `out`, when the tag is wrong. Errors: as of sealInto.
 */
export function openInto(
  out: Uint8Array,
  cipher: Cipher,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): number | undefined {
  const length = sealed.length - TAG_BYTES;
  const { opening } = cipher;
  if (length < 0) return undefined;
  check(cipher, key, nonce, out.length >= length);
  demand(cipher, decryptInit(opening, cipher.type, null, key, nonce));
  for (let i = 0; i < TAG_BYTES; i += 1) tag[i] = sealed[length + i] ?? 0;
  demand(cipher, control(opening, SET_TAG, TAG_BYTES, tag));
  if (aad.length > 0) demand(cipher, decryptUpdate(opening, null, written, aad, aad.length));
  // A cipher that needs the whole message to begin with says already here that the tag is wrong.
  const isRight =
    (length === 0 || decryptUpdate(opening, out, written, sealed, length) === 1) &&
    decryptFinal(opening, nothing, written) === 1;
  if (isRight) return length;
  out.fill(0, 0, length);
  clearErrors(); // else they would be told of the next failure of node:crypto
  return undefined;
}

/** The first `out.length` bytes of the key stream of a CTR mode cipher; `iv` 16 bytes. */
export function streamInto(out: Uint8Array, cipher: Cipher, key: Uint8Array, iv: Uint8Array): void {
  if (key.length !== KEY_BYTES || iv.length !== CTR_IV_BYTES) throw wrongLength(cipher);
  out.fill(0);
  const { sealing } = cipher;
  demand(cipher, encryptInit(sealing, cipher.type, null, key, iv));
  demand(cipher, encryptUpdate(sealing, out, written, out, out.length));
}

function check(cipher: Cipher, key: Uint8Array, nonce: Uint8Array, hasRoom: boolean): void {
  if (key.length !== KEY_BYTES || nonce.length !== NONCE_BYTES || !hasRoom) {
    throw wrongLength(cipher);
  }
}

const wrongLength = ({ name }: Cipher): RangeError =>
  new RangeError(`${name}: a key, nonce or buffer of another length`);

function demand({ name }: Cipher, result: number): void {
  if (result === 1) return;
  clearErrors();
  throw new Error(`OpenSSL refused ${name}`);
}
