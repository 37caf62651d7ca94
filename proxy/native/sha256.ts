// SHA-256 by the OpenSSL inside Node: one call a message, which is padded here, where a digest context
// takes three and more time in each, and node:crypto makes an object and a copy (docs/decisions/0008).
import { Buffer } from 'node:buffer';
import { libc } from './libc.ts';

const init: (ctx: Buffer) => number = libc.func('int SHA256_Init(void *ctx)');
const update: (ctx: Buffer, bytes: Uint8Array, length: number) => number = libc.func(
  'int SHA256_Update(void *ctx, const void *bytes, size_t length)',
);

/** Block and digest (FIPS 180-4). */
export const BLOCK_BYTES = 64;
export const DIGEST_BYTES = 32;
/** What has to follow a message: a byte and its length in bits. */
const MIN_PADDING_BYTES = 9;

/** `SHA256_CTX`: the state is what it begins with, and whole blocks leave nothing in the rest. */
const CTX_BYTES = 112;
const ctx = Buffer.alloc(CTX_BYTES);
const state = new Uint32Array(ctx.buffer, ctx.byteOffset, DIGEST_BYTES / 4);
init(ctx);
const INITIAL = Uint32Array.from(state);

/** How many bytes a message of `length` has when it is padded. */
export const paddedBytes = (length: number): number =>
  Math.ceil((length + MIN_PADDING_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;

/** Pads the message in the first `length` of `bytes` (FIPS 180-4 5.1.1); under 512 MiB. */
export function pad(bytes: Uint8Array, length: number): void {
  const end = paddedBytes(length);
  bytes[length] = 0x80;
  for (let i = length + 1; i < end - 4; i += 1) bytes[i] = 0;
  writeWord(bytes, end - 4, length * 8);
}

/** The digest of the padded message in the first `padded` of `blocks`, into `out` from `at` on. */
export function digestInto(out: Uint8Array, at: number, blocks: Uint8Array, padded: number): void {
  if (padded % BLOCK_BYTES !== 0 || padded > blocks.length || at + DIGEST_BYTES > out.length) {
    throw new RangeError('SHA-256: length');
  }
  for (let i = 0; i < state.length; i += 1) state[i] = INITIAL[i] ?? 0;
  if (update(ctx, blocks, padded) !== 1) throw new Error('OpenSSL refused SHA-256');
  for (let i = 0; i < state.length; i += 1) {
    writeWord(out, at + 4 * i, state[i] ?? 0);
    state[i] = 0;
  }
}

/** Longer messages get memory of their own. */
const scratch = Buffer.alloc(1024);

/** SHA-256 of the concatenation of `parts`, 32 bytes. What was hashed stays in memory: not for what is to be wiped. */
export function sha256Of(...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const padded = paddedBytes(length);
  const message = padded <= scratch.length ? scratch : Buffer.alloc(padded);
  let at = 0;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  pad(message, length);
  const digest = Buffer.allocUnsafe(DIGEST_BYTES);
  digestInto(digest, 0, message, padded);
  return digest;
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}
