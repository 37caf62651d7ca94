import { existsSync, readFileSync } from 'node:fs';
import { ctr, gcm, gcmsiv } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, hex } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { Nonces, open, seal } from './aead.ts';
import { LengthMask } from './mask.ts';

const VECTORS = '../shared/vectors/crypto/wycheproof';
const AEADS = [
  ['AES-256-GCM', 'aes_gcm_test.json', gcm],
  ['ChaCha20-Poly1305', 'chacha20_poly1305_test.json', chacha20poly1305],
  ['AES-256-GCM-SIV', 'aes_gcm_siv_test.json', gcmsiv],
] as const;

interface AeadFile {
  readonly testGroups: readonly {
    readonly ivSize: number;
    readonly keySize: number;
    readonly tagSize: number;
    readonly tests: readonly {
      readonly key: string;
      readonly iv: string;
      readonly aad: string;
      readonly msg: string;
      readonly ct: string;
      readonly tag: string;
      readonly result: string;
    }[];
  }[];
}

describe.skipIf(!existsSync(VECTORS))('Wycheproof (needs ../shared/vectors)', () => {
  it.each(AEADS)('seal() and open() of %s agree with the published vectors', (name, file) => {
    const { testGroups } = JSON.parse(readFileSync(`${VECTORS}/${file}`, 'utf8')) as AeadFile;
    const groups = testGroups.filter((g) => g.keySize === 256 && g.ivSize === 96);
    let checked = 0;
    for (const test of groups.flatMap((group) => group.tests)) {
      const [key, iv, aad, msg] = [test.key, test.iv, test.aad, test.msg].map(fromHex) as [
        Buffer,
        Buffer,
        Buffer,
        Buffer,
      ];
      const sealed = concat(fromHex(test.ct), fromHex(test.tag));
      const opened = open(name, key, iv, aad, sealed);
      if (test.result === 'valid') {
        expect(hex(seal(name, key, iv, aad, msg))).toBe(hex(sealed));
        expect(opened && hex(opened)).toBe(test.msg);
      } else {
        expect(opened).toBeUndefined();
      }
      checked += 1;
    }
    expect(checked).toBeGreaterThan(50);
  });
});

describe('AEADs against @noble/ciphers', () => {
  it.each(AEADS)('seal() of %s gives the same bytes', (name, _file, noble) => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(32), bytes(12), fc.uint8Array(), fc.uint8Array(), (key, iv, aad, plain) => {
        expect(hex(seal(name, key, iv, aad, plain))).toBe(hex(noble(key, iv, aad).encrypt(plain)));
      }),
      { numRuns: 40 },
    );
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
