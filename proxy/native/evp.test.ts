import { createCipheriv, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { cipherOf, openInto, sealInto, streamInto, TAG_BYTES } from './evp.ts';

// Vectors and an independent implementation of the AEADs are in see/aead.test.ts.
const gcm = cipherOf('AES-256-GCM');
const [key, nonce, aad] = [Buffer.alloc(32, 1), Buffer.alloc(12, 2), Buffer.from('aad')];

it('sealInto() of a message in two parts is that of the whole, and touches nothing behind it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (plain, cut) => {
      const [whole, parts] = [Buffer.alloc(400, 0xee), Buffer.alloc(400, 0xee)];
      const length = sealInto(whole, gcm, key, nonce, aad, plain);
      const [head, tail] = [plain.subarray(0, cut), plain.subarray(cut)];
      expect(sealInto(parts, gcm, key, nonce, aad, head, tail)).toBe(length);
      expect(parts.equals(whole)).toBe(true);
      expect(length).toBe(plain.length + TAG_BYTES);
      expect(whole.subarray(length).every((byte) => byte === 0xee)).toBe(true);
      const out = Buffer.alloc(400, 0xdd);
      expect(openInto(out, gcm, key, nonce, aad, whole.subarray(0, length))).toBe(plain.length);
      expect(out.subarray(0, plain.length).equals(plain)).toBe(true);
      expect(out.subarray(plain.length).every((byte) => byte === 0xdd)).toBe(true);
    }),
  );
});

it('openInto() leaves no plaintext of what does not verify, and node:crypto does not hear of it', () => {
  const sealed = Buffer.alloc(100 + TAG_BYTES);
  sealInto(sealed, gcm, key, nonce, aad, Buffer.alloc(100, 7));
  sealed[115] = (sealed[115] ?? 0) ^ 1;
  const out = Buffer.alloc(100, 0xdd);
  expect(openInto(out, gcm, key, nonce, aad, sealed)).toBeUndefined();
  expect(out.every((byte) => byte === 0)).toBe(true);
  expect(() => createCipheriv('aes-256-gcm', Buffer.alloc(31), nonce)).toThrow(/key length/i);
});

it('refuses keys, nonces and buffers of other lengths before OpenSSL sees them', () => {
  const plain = Buffer.alloc(8);
  const room = Buffer.alloc(8 + TAG_BYTES);
  const refused = /another length/;
  expect(() => sealInto(room, gcm, key.subarray(1), nonce, aad, plain)).toThrow(refused);
  expect(() => sealInto(room, gcm, key, nonce.subarray(1), aad, plain)).toThrow(refused);
  expect(() => sealInto(room.subarray(1), gcm, key, nonce, aad, plain)).toThrow(refused);
  expect(() => sealInto(room, gcm, key, nonce, aad, plain, Buffer.alloc(1))).toThrow(refused);
  expect(() => openInto(Buffer.alloc(7), gcm, key, nonce, aad, room)).toThrow(refused);
  expect(openInto(room, gcm, key, nonce, aad, Buffer.alloc(TAG_BYTES - 1))).toBeUndefined();
  expect(() => streamInto(room, gcm, key, nonce)).toThrow(refused);
  expect(() => cipherOf('AES-256-XYZ')).toThrow(/OpenSSL has no AES-256-XYZ/);
});

it('streamInto() agrees with node:crypto', () => {
  for (const length of [0, 1, 55, 56, 64, 1000]) {
    const iv = randomBytes(16);
    const stream = Buffer.alloc(length, 0x55);
    streamInto(stream, cipherOf('AES-256-CTR'), key, iv);
    const zeros = Buffer.alloc(length);
    expect(stream.equals(createCipheriv('aes-256-ctr', key, iv).update(zeros))).toBe(true);
  }
});
