// HPKE under X-Wing beside an independent implementation (@hpke); hwtest/reader is another, from the text alone.
import { randomBytes } from 'node:crypto';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Bytes } from './bytes.ts';
import { hpkeOpen, hpkeSeal, xwingPublic } from './hpke.ts';

const KEM = new XWing();
const OTHER = new CipherSuite({ kem: KEM, kdf: new HkdfSha256(), aead: new Aes256Gcm() });

const bytesOf = (bytes: Bytes): ArrayBuffer => Uint8Array.from(bytes).buffer;
const pairOf = (seed: Bytes) => KEM.generateKeyPairDerand(Uint8Array.from(seed));

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const texts = fc.uint8Array({ maxLength: 300 });

function flipped(bytes: Bytes, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

describe('xwingPublic()', () => {
  test('is what the other implementation makes of a seed', async () => {
    const ofSeed = fc.asyncProperty(seeds, async (seed) => {
      const { publicKey } = await pairOf(seed);
      expect(xwingPublic(seed)).toEqual(Buffer.from(await KEM.serializePublicKey(publicKey)));
    });
    await fc.assert(ofSeed, { numRuns: 20 });
  });
});

describe('hpkeSeal()', () => {
  test('seals what the other implementation opens', async () => {
    const sealed = fc.asyncProperty(seeds, texts, texts, async (seed, info, text) => {
      const { enc, ciphertext } = hpkeSeal(xwingPublic(seed), info, text);
      const { privateKey: recipientKey } = await pairOf(seed);
      const recipient = { recipientKey, enc: bytesOf(enc), info: bytesOf(info) };
      expect(new Uint8Array(await OTHER.open(recipient, bytesOf(ciphertext)))).toEqual(text);
    });
    await fc.assert(sealed, { numRuns: 20 });
  });

  test('refuses what is no public half', () => {
    const good = xwingPublic(randomBytes(32));
    for (const wrong of [good.subarray(1), Buffer.concat([good, Buffer.alloc(1)]), Buffer.alloc(0)])
      expect(() => hpkeSeal(wrong, Buffer.alloc(0), Buffer.alloc(0))).toThrow(RangeError);
    const ofLowOrder = Buffer.concat([good.subarray(0, -32), Buffer.alloc(32)]);
    expect(() => hpkeSeal(ofLowOrder, Buffer.alloc(0), Buffer.alloc(0))).toThrow();
    const notReduced = Buffer.concat([Buffer.alloc(1184, 0xff), good.subarray(-32)]); // FIPS 203 7.2
    expect(() => hpkeSeal(notReduced, Buffer.alloc(0), Buffer.alloc(0))).toThrow();
  });
});

describe('hpkeOpen()', () => {
  test('opens what the other implementation sealed', async () => {
    const opened = fc.asyncProperty(seeds, texts, texts, async (seed, info, text) => {
      const { publicKey: recipientPublicKey } = await pairOf(seed);
      const { enc, ct } = await OTHER.seal(
        { recipientPublicKey, info: bytesOf(info) },
        bytesOf(text),
      );
      const sealed = { enc: new Uint8Array(enc), ciphertext: new Uint8Array(ct) };
      expect(new Uint8Array(hpkeOpen(seed, sealed, info))).toEqual(text);
    });
    await fc.assert(opened, { numRuns: 20 });
  });

  test('opens nothing of which a byte was changed, or that is cut short', () => {
    const [seed, info, text] = [randomBytes(32), Buffer.from('info'), Buffer.from('plain text')];
    const sealed = hpkeSeal(xwingPublic(seed), info, text);
    const { enc, ciphertext } = sealed;
    expect(hpkeOpen(seed, sealed, info)).toEqual(text);
    for (let at = 0; at < enc.length; at += 1) {
      expect(() => hpkeOpen(seed, { enc: flipped(enc, at), ciphertext }, info), `${at}`).toThrow();
    }
    for (let at = 0; at < ciphertext.length; at += 1) {
      const changed = { enc, ciphertext: flipped(ciphertext, at) };
      expect(() => hpkeOpen(seed, changed, info), `${at}`).toThrow();
      const cut = { enc, ciphertext: ciphertext.subarray(0, at) };
      expect(() => hpkeOpen(seed, cut, info), `cut at ${at}`).toThrow();
    }
    expect(() => hpkeOpen(seed, { enc: enc.subarray(1), ciphertext }, info)).toThrow(RangeError);
    expect(() => hpkeOpen(randomBytes(32), sealed, info)).toThrow();
    expect(() => hpkeOpen(seed, sealed, Buffer.from('other'))).toThrow();
  });
});
