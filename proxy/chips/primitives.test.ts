// The functions that the registry is made of, against what their specifications publish.
import { createHmac, hkdfSync } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { blake3 } from '@noble/hashes/blake3.js';
import { cshake256, kmac256, turboshake256 } from '@noble/hashes/sha3-addons.js';
import { describe, expect, it } from 'vitest';
import { fromHex, hex, utf8 } from '#agent/base/bytes.ts';
import { noVectors, vector, wycheproof } from '#agent/base/vectors.ts';
import { deriveKey } from './blake3.fixture.ts';
import { expand, extract } from './hkdf.ts';
import { chipsAlgorithm } from './registry.ts';

/** `from`, `from + 1`, ... */
const counting = (from: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, n) => from + n);
/** Bytes 0 to 250 over and over: of RFC 9861 5 and of BLAKE3's vectors. */
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, n) => n % 251);

describe('published vectors', () => {
  it('derive() of HKDF-SHA-256 agrees with RFC 5869 A.1 to A.3', () => {
    const derive = chipsAlgorithm(1)?.derive;
    const [ikm, salt, info] = [Buffer.alloc(22, 0x0b), counting(0, 13), counting(0xf0, 10)];
    expect(derive && hex(derive(ikm, salt, info, 42))).toBe(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    );
    const long = [counting(0, 80), counting(0x60, 80), counting(0xb0, 80)] as const;
    expect(derive && hex(derive(...long, 64))).toBe(
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c' +
        '59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71',
    );
    const none = new Uint8Array(0);
    expect(derive && hex(derive(ikm, none, none, 42))).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    );
  });

  it('kmac256() agrees with samples 4 to 6 of NIST', () => {
    const key = counting(0x40, 32);
    const S = utf8('My Tagged Application');
    const kmac = (data: Uint8Array, personalization: Uint8Array): string =>
      hex(kmac256(key, data, { personalization, dkLen: 64 }));
    expect(kmac(counting(0, 4), S)).toBe(
      '20c570c31346f703c9ac36c61c03cb64c3970d0cfc787e9b79599d273a68d2f7' +
        'f69d4cc3de9d104a351689f27cf6f5951f0103f33f4f24871024d9c27773a8dd',
    );
    expect(kmac(counting(0, 200), utf8(''))).toBe(
      '75358cf39e41494e949707927cee0af20a3ff553904c86b08f21cc414bcfd691' +
        '589d27cf5e15369cbbff8b9a4c2eb17800855d0235ff635da82533ec6b759b69',
    );
    expect(kmac(counting(0, 200), S)).toBe(
      'b58618f71f92e1d56c1b8c55ddd7cd188b97b4ca4d99831eb2699a837da2e4d9' +
        '70fbacfde50033aea585f1a2708510c32d07880801bd182898fe476876fc8965',
    );
  });

  it('cshake256() agrees with samples 3 and 4 of NIST', () => {
    const cshake = (data: Uint8Array): string =>
      hex(cshake256(data, { personalization: utf8('Email Signature'), dkLen: 64 }));
    expect(cshake(counting(0, 4))).toBe(
      'd008828e2b80ac9d2218ffee1d070c48b8e4c87bff32c9699d5b6896eee0edd1' +
        '64020e2be0560858d9c00c037e34a96937c561a74c412bb4c746469527281c8c',
    );
    expect(cshake(counting(0, 200))).toBe(
      '07dc27b11e51fbac75bc7b3c1d983e8b4b85fb1defaf218912ac864302730917' +
        '27f42b17ed1df63e8ec118f04b23633c1dfb1574c8fb55cb45da8e25afb092bb',
    );
  });

  it('turboshake256() agrees with RFC 9861 5', () => {
    const turbo = (length: number): string =>
      hex(turboshake256(pattern(length), { D: 0x1f, dkLen: 64 }));
    expect(turbo(0)).toBe(
      '367a329dafea871c7802ec67f905ae13c57695dc2c6663c61035f59a18f8e7db' +
        '11edc0e12e91ea60eb6b32df06dd7f002fbafabb6e13ec1cc20d995547600db0',
    );
    expect(turbo(17)).toBe(
      'b3bab0300e6a191fbe6137939835923578794ea54843f5011090fa2f3780a9e5' +
        'cb22c59d78b40a0fbff9e672c0fbe0970bd2c845091c6044d687054da5d8e9c7',
    );
  });

  it('deriveKey() and blake3() agree with the derive-key vectors of BLAKE3', () => {
    const context = utf8('BLAKE3 2019-12-27 16:29:52 test vectors context');
    const published: Readonly<Record<number, string>> = {
      0: '2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d',
      3: '440aba35cb006b61fc17c0529255de438efc06a8c9ebf3f2ddac3b5a86705797',
      64: 'a5c4a7053fa86b64746d4bb688d06ad1f02a18fce9afd3e818fefaa7126bf73e',
      65: '51fd05c3c1cfbc8ed67d139ad76f5cf8236cd2acd26627a30c104dfd9d3ff8a8',
      1024: '7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706',
    };
    for (const [length, expected] of Object.entries(published)) {
      const material = pattern(Number(length));
      expect(hex(deriveKey(context, material))).toBe(expected);
      expect(hex(blake3(material, { context }))).toBe(expected);
    }
  });
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it.each(['sha256', 'sha512'])('hkdfSync() of %s agrees with Wycheproof', (name) => {
    const tests = wycheproof<object, HkdfCase>(`hkdf_${name}`);
    for (const test of tests) {
      const [ikm, salt, info] = [fromHex(test.ikm), fromHex(test.salt), fromHex(test.info)];
      const run = () => Buffer.from(hkdfSync(name, ikm, salt, info, test.size));
      if (test.result === 'invalid') expect(run).toThrow();
      else expect(hex(run())).toBe(test.okm);
      if (name === 'sha256' && test.size === 32) {
        expect(hex(expand(extract(salt, ikm), info))).toBe(test.okm);
      }
    }
    expect(tests.length).toBeGreaterThan(70);
  });

  it('HMAC-SHA3-256, which HKDF-SHA3-256 is made of, agrees with Wycheproof', () => {
    const tests = wycheproof<MacGroup, MacCase>('hmac_sha3_256');
    for (const { key, msg, tag, tagSize, result } of tests) {
      const mac = createHmac('sha3-256', fromHex(key)).update(fromHex(msg)).digest();
      expect(hex(mac.subarray(0, tagSize / 8)) === tag).toBe(result === 'valid');
    }
    expect(tests.length).toBeGreaterThan(50);
  });

  it('kmac256() agrees with Wycheproof', () => {
    const tests = wycheproof<MacGroup, MacCase>('kmac256_no_customization');
    for (const { key, msg, tag, tagSize, result } of tests) {
      const mac = kmac256(fromHex(key), fromHex(msg), { dkLen: tagSize / 8 });
      expect(hex(mac) === tag).toBe(result === 'valid');
    }
    expect(tests.length).toBeGreaterThan(50);
  });

  it('blake3() agrees with the published hash, keyed and derive-key vectors', () => {
    const { cases, key, context_string } = JSON.parse(
      vector('blake3/test_vectors.json').toString(),
    ) as Blake3File;
    for (const { input_len, ...published } of cases) {
      const data = pattern(input_len);
      const dkLen = published.hash.length / 2;
      const context = utf8(context_string);
      expect(hex(blake3(data, { dkLen }))).toBe(published.hash);
      expect(hex(blake3(data, { dkLen, key: utf8(key) }))).toBe(published.keyed_hash);
      expect(hex(blake3(data, { dkLen, context }))).toBe(published.derive_key);
    }
    expect(cases.length).toBeGreaterThan(30);
  });

  it('cshake256() and kmac256() agree with the collected vectors', () => {
    const raw = gunzipSync(vector('sha3/sha3-addons.json.gz')).toString();
    const { v } = JSON.parse(raw) as { readonly v: readonly ShakeVector[] };
    const seen = new Set<string>();
    for (const { fn_name, data, exp, nist_fn = '', personalization = '', key = '' } of v) {
      const options = { personalization: fromHex(personalization), dkLen: exp.length / 2 };
      if (fn_name === 'cshake256') {
        const NISTfn = fromHex(nist_fn);
        expect(hex(cshake256(fromHex(data), { ...options, NISTfn }))).toBe(exp);
      } else if (fn_name === 'kmac256') {
        expect(hex(kmac256(fromHex(key), fromHex(data), options))).toBe(exp);
      } else continue;
      seen.add(fn_name);
    }
    expect(seen.size).toBe(2);
  });
});

interface HkdfCase {
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly size: number;
  readonly okm: string;
}
interface MacGroup {
  /** In bits. */
  readonly tagSize: number;
}
interface MacCase {
  readonly key: string;
  readonly msg: string;
  readonly tag: string;
}
interface Blake3File {
  readonly key: string;
  readonly context_string: string;
  readonly cases: readonly {
    readonly input_len: number;
    readonly hash: string;
    readonly keyed_hash: string;
    readonly derive_key: string;
  }[];
}
interface ShakeVector {
  readonly fn_name: string;
  readonly data: string;
  readonly exp: string;
  readonly nist_fn?: string;
  readonly personalization?: string;
  readonly key?: string;
}
