import { ctr, gcm, gcmsiv } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, hex, utf8 } from '#agent/base/bytes.ts';
import { noVectors, wycheproof } from '#agent/base/vectors.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { Nonces, TAG_BYTES, open, seal } from './aead.ts';
import { FRAME, LENGTH_BYTES, MAX_FRAME_DATA } from './frames.ts';
import { frameKeys } from './keys.ts';
import { LengthMask } from './mask.ts';
import { FrameSealer } from './sealer.ts';

const AEADS = [
  ['AES-256-GCM', 'aes_gcm', gcm],
  ['ChaCha20-Poly1305', 'chacha20_poly1305', chacha20poly1305],
  ['AES-256-GCM-SIV', 'aes_gcm_siv', gcmsiv],
] as const;

interface AeadGroup {
  /** In bits. */
  readonly ivSize: number;
  readonly keySize: number;
}
interface AeadCase {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it.each(AEADS)('seal() and open() of %s agree with Wycheproof', (name, file) => {
    const tests = wycheproof<AeadGroup, AeadCase>(file).filter(
      ({ keySize, ivSize }) => keySize === 256 && ivSize === 96,
    );
    for (const { ct, tag, result, ...test } of tests) {
      const [key, iv, aad] = [fromHex(test.key), fromHex(test.iv), fromHex(test.aad)];
      const sealed = concat(fromHex(ct), fromHex(tag));
      const opened = open(name, key, iv, aad, sealed);
      if (result === 'valid') {
        expect(hex(seal(name, key, iv, aad, fromHex(test.msg)))).toBe(hex(sealed));
        expect(opened && hex(opened)).toBe(test.msg);
      } else {
        expect(opened).toBeUndefined();
      }
    }
    expect(tests.length).toBeGreaterThan(50);
  });
});

describe('published vectors', () => {
  it('seal() of AES-256-GCM agrees with test case 16 of its specification', () => {
    const sealed = seal(
      'AES-256-GCM',
      fromHex('feffe9928665731c6d6a8f9467308308'.repeat(2)),
      fromHex('cafebabefacedbaddecaf888'),
      fromHex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
      fromHex(
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
          '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      ),
    );
    expect(hex(sealed)).toBe(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
    );
  });

  it('seal() of ChaCha20-Poly1305 agrees with RFC 8439 2.8.2', () => {
    const sealed = seal(
      'ChaCha20-Poly1305',
      Uint8Array.from({ length: 32 }, (_, n) => 0x80 + n),
      fromHex('070000004041424344454647'),
      fromHex('50515253c0c1c2c3c4c5c6c7'),
      utf8(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
      ),
    );
    expect(hex(sealed)).toBe(
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6' +
        '3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36' +
        '92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
        '3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
    );
  });

  it('seal() of AES-256-GCM-SIV agrees with RFC 8452 C.2', () => {
    const [key, nonce] = [Buffer.alloc(32), Buffer.alloc(12)];
    key[0] = 1;
    nonce[0] = 3;
    const sealed = (aad: string, plain: string): string =>
      hex(seal('AES-256-GCM-SIV', key, nonce, fromHex(aad), fromHex(plain)));
    expect(sealed('', '')).toBe('07f5f4169bbf55a8400cd47ea6fd400f');
    expect(sealed('', '0100000000000000')).toBe('c2ef328e5c71c83b843122130f7364b761e0b97427e3df28');
    expect(sealed('01', '0200000000000000')).toBe(
      '1de22967237a813291213f267e3b452f02d01ae33e4ec854',
    );
  });
});

describe('AEADs against @noble/ciphers', () => {
  it.each(AEADS)(
    'seal() of %s gives the same bytes, and open() gives them back',
    (name, _, noble) => {
      const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
      fc.assert(
        fc.property(
          bytes(32),
          bytes(12),
          fc.uint8Array(),
          fc.uint8Array(),
          (key, iv, aad, plain) => {
            const sealed = seal(name, key, iv, aad, plain);
            expect(hex(sealed)).toBe(hex(noble(key, iv, aad).encrypt(plain)));
            expect(open(name, key, iv, aad, sealed)).toEqual(Buffer.from(plain));
          },
        ),
        { numRuns: 40 },
      );
    },
  );

  // Around an AES block, around where sealInto() joins its parts, and a whole frame.
  const LENGTHS = [0, 1, 15, 16, 17, 1022, 1023, 1024, 1025, 2000, MAX_FRAME_DATA];
  it.each(AEADS)('FrameSealer under %s gives the same bytes at every length', (name, _, noble) => {
    const secret = Buffer.alloc(32, 5);
    const { key, iv, hp } = frameKeys(secret);
    const mask = new LengthMask(hp);
    const nonces = new Nonces(iv);
    const sealer = new FrameSealer(name, frameKeys(secret));
    for (const length of LENGTHS) {
      for (const padding of [0, 1000]) {
        const data = Buffer.alloc(length, length + 1);
        const tail = Buffer.alloc(1 + padding);
        tail[0] = FRAME.data;
        const prefix = Buffer.alloc(LENGTH_BYTES);
        prefix.writeUIntBE(length + tail.length + TAG_BYTES, 0, LENGTH_BYTES);
        const sealed = noble(key, nonces.next().slice(), prefix.slice()).encrypt(
          concat(data, tail),
        );
        mask.apply(prefix);
        expect(sealer.frame(FRAME.data, data, padding).equals(concat(prefix, sealed))).toBe(true);
      }
    }
  });

  it('open() refuses every change of one byte, and what is shorter than a tag', () => {
    const names: AeadName[] = AEADS.map(([name]) => name);
    for (const name of names) {
      const [key, iv, aad] = [Buffer.alloc(32, 1), Buffer.alloc(12, 2), Buffer.alloc(3, 3)];
      const sealed = seal(name, key, iv, aad, Buffer.from('plain'));
      for (let at = 0; at < sealed.length; at += 1) {
        const bad = Buffer.from(sealed);
        bad[at] = (bad[at] ?? 0) ^ 1;
        expect(open(name, key, iv, aad, bad)).toBeUndefined();
      }
      expect(open(name, key, iv, Buffer.alloc(3), sealed)).toBeUndefined();
      expect(open(name, key, iv, aad, sealed.subarray(0, 15))).toBeUndefined();
    }
  });
});

describe('Nonces', () => {
  it('next() is IV xor counter, right-aligned (RFC 8446 5.3), and never repeats', () => {
    const iv = fromHex('00112233445566778899aaff');
    const nonces = new Nonces(iv);
    const seen = Array.from({ length: 300 }, () => hex(nonces.next()));
    seen.forEach((nonce, counter) => {
      const xor = BigInt(`0x${hex(iv)}`) ^ BigInt(counter);
      expect(nonce).toBe(xor.toString(16).padStart(24, '0'));
    });
    expect(new Set(seen).size).toBe(300);
    expect(nonces.used).toBe(300);
  });
});

describe('LengthMask', () => {
  it('apply() follows the AES-256-CTR stream from counter 0, across its blocks', () => {
    const key = Buffer.alloc(32, 7);
    const frames = 5000;
    const stream = ctr(key, new Uint8Array(16)).encrypt(new Uint8Array(frames * 3));
    const mask = new LengthMask(key);
    for (let at = 0; at < frames; at += 1) {
      const length = Buffer.from([1, 2, 3]);
      mask.apply(length);
      const expected = [0, 1, 2].map((i) => (stream[at * 3 + i] ?? 0) ^ (i + 1));
      expect([...length]).toEqual(expected);
    }
  });
});
