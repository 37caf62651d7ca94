import { existsSync, readFileSync } from 'node:fs';
import { hkdfSync, subtle } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { expand as nobleExpand, extract as nobleExtract, hkdf } from '@noble/hashes/hkdf.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256 } from '@noble/hashes/sha3.js';
import { cshake256, kmac256 } from '@noble/hashes/sha3-addons.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, field, fromHex, hex, utf8 } from '#agent/base/bytes.ts';
import { expand, extract } from './hkdf.ts';
import { AEADS, CHIPS, DEFAULT_MANDATORY, chipsAlgorithm } from './registry.ts';

const VECTORS = '../shared/vectors/crypto';
const noVectors = !existsSync(VECTORS);
const CONTEXT = 'tidelock chips 2026 epoch step v1';
const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const input = [fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes(64), bytes(64)] as const;

const subtleDigest = async (name: string, options: object, message: Uint8Array) =>
  Buffer.from(await subtle.digest({ name, outputLength: 256, ...options }, message.slice()));

const deriveOf = (id: number) => {
  const algorithm = chipsAlgorithm(id);
  if (algorithm === undefined) throw new Error(`no algorithm ${id}`);
  return algorithm.derive;
};

describe('CHIPS', () => {
  it('CHIPS numbers and names are what every released version has used', () => {
    expect(CHIPS.map(({ id, name }) => `${id} ${name}`)).toEqual(
      ['AES-256-GCM', 'ChaCha20-Poly1305', 'AES-256-GCM-SIV'].flatMap((aead, block) =>
        [
          'HKDF-SHA-256',
          'HKDF-SHA-512',
          'HKDF-SHA3-256',
          'HKDF-BLAKE2b-512',
          'BLAKE3',
          'KMAC256',
          'cSHAKE256',
          'TurboSHAKE256',
        ].map((name, at) => `${block * 16 + 1 + at} ${name}/${aead}`),
      ),
    );
    expect(AEADS).toEqual({ 'AES-256-GCM': 1, 'ChaCha20-Poly1305': 2, 'AES-256-GCM-SIV': 3 });
  });

  it('DEFAULT_MANDATORY leaves out AES-256-GCM-SIV and nothing else', () => {
    expect(DEFAULT_MANDATORY).toHaveLength(16);
    expect(DEFAULT_MANDATORY.every((id) => id < 33)).toBe(true);
  });

  it('chipsAlgorithm() knows no id outside the registry', () => {
    for (const id of [0, 9, 16, 25, 41, -1, 1.5, Number.NaN]) {
      expect(chipsAlgorithm(id)).toBeUndefined();
    }
  });

  it('derive() separates ikm, salt and info: moving a byte between them changes the output', () => {
    for (const { derive } of CHIPS.slice(0, 8)) {
      const outputs = [
        derive(utf8('a'.repeat(32)), utf8('bc'), utf8('d')),
        derive(utf8('a'.repeat(32)), utf8('b'), utf8('cd')),
        derive(utf8('a'.repeat(32)), utf8(''), utf8('bcd')),
        derive(utf8(`${'a'.repeat(32)}b`), utf8('c'), utf8('d')),
      ].map(hex);
      expect(new Set(outputs).size).toBe(outputs.length);
    }
  });

  it('derive() gives pairwise different outputs for one input under every derivation', () => {
    const outputs = CHIPS.slice(0, 8).map(({ derive }) =>
      hex(derive(new Uint8Array(32), new Uint8Array(32), utf8('record'))),
    );
    expect(new Set(outputs).size).toBe(8);
  });
});

describe('derive() against a second implementation', () => {
  const hkdfs = [
    [1, sha256],
    [2, sha512],
    [3, sha3_256],
    [4, blake2b],
  ] as const;
  it.each(hkdfs)('derive() of id %i equals HKDF of @noble/hashes', (id, hash) => {
    fc.assert(
      fc.property(...input, fc.integer({ min: 1, max: 64 }), (ikm, salt, info, len) => {
        expect(hex(deriveOf(id)(ikm, salt, info, len))).toBe(hex(hkdf(hash, ikm, salt, info, len)));
      }),
      { numRuns: 50 },
    );
  });

  it('derive() of BLAKE3 equals its two-step definition: keyed by the hash of the context', () => {
    // BLAKE3 paper 2.3: derive_key hashes the context with DERIVE_KEY_CONTEXT, then the material.
    const ikm = new Uint8Array(32).fill(7);
    const out = deriveOf(5)(ikm, utf8('salt'), utf8('info'));
    const material = concat(field(ikm), field('salt'), field('info'));
    expect(hex(out)).toBe(hex(blake3(material, { context: utf8(CONTEXT) })));
  });

  it('derive() of cSHAKE256 equals WebCrypto', async () => {
    const [ikm, salt, info] = [new Uint8Array(32).fill(1), utf8('s'), utf8('i')];
    const message = concat(field(ikm), field(salt), field(info));
    const options = { customization: Buffer.from(CONTEXT) };
    expect(hex(deriveOf(7)(ikm, salt, info))).toBe(
      hex(await subtleDigest('cSHAKE256', options, message)),
    );
  });

  it('derive() of TurboSHAKE256 equals WebCrypto', async () => {
    const [ikm, salt, info] = [new Uint8Array(32).fill(1), utf8('s'), utf8('i')];
    const message = concat(field(CONTEXT), field(ikm), field(salt), field(info));
    const options = { domainSeparation: 0x1f };
    expect(hex(deriveOf(8)(ikm, salt, info))).toBe(
      hex(await subtleDigest('TurboSHAKE256', options, message)),
    );
  });

  it('derive() of KMAC256 equals WebCrypto', async () => {
    const [ikm, salt, info] = [new Uint8Array(32).fill(1), utf8('s'), utf8('i')];
    const key = await subtle.importKey('raw-secret', ikm, { name: 'KMAC256' }, false, ['sign']);
    const mac = await subtle.sign(
      { name: 'KMAC256', outputLength: 256, customization: Buffer.from(CONTEXT) },
      key,
      concat(field(salt), field(info)).slice(),
    );
    expect(hex(deriveOf(6)(ikm, salt, info))).toBe(hex(Buffer.from(mac)));
  });
});

describe.skipIf(noVectors)('primitives against published vectors (needs ../shared/vectors)', () => {
  it.each(['sha256', 'sha512'])('hkdfSync() of %s agrees with Wycheproof', (name) => {
    const file = readFileSync(`${VECTORS}/wycheproof/hkdf_${name}_test.json`, 'utf8');
    const groups = (JSON.parse(file) as HkdfFile).testGroups;
    let checked = 0;
    for (const test of groups.flatMap((group) => group.tests)) {
      const [ikm, salt, info] = [fromHex(test.ikm), fromHex(test.salt), fromHex(test.info)];
      const run = () => Buffer.from(hkdfSync(name, ikm, salt, info, test.size));
      if (test.result === 'invalid') expect(run).toThrow();
      else expect(hex(run())).toBe(test.okm);
      if (name === 'sha256' && test.size === 32) {
        expect(hex(expand(extract(salt, ikm), info))).toBe(test.okm);
      }
      checked += 1;
    }
    expect(checked).toBeGreaterThan(70);
  });

  it('blake3() agrees with the published hash, keyed and derive-key vectors', () => {
    const file = readFileSync(`${VECTORS}/blake3/test_vectors.json`, 'utf8');
    const { cases, key, context_string } = JSON.parse(file) as Blake3File;
    for (const vector of cases) {
      const data = Uint8Array.from({ length: vector.input_len }, (_, i) => i % 251);
      const dkLen = vector.hash.length / 2;
      expect(hex(blake3(data, { dkLen }))).toBe(vector.hash);
      expect(hex(blake3(data, { dkLen, key: utf8(key) }))).toBe(vector.keyed_hash);
      expect(hex(blake3(data, { dkLen, context: utf8(context_string) }))).toBe(vector.derive_key);
    }
    expect(cases.length).toBeGreaterThan(30);
  });

  it('kmac256() agrees with Wycheproof', () => {
    const file = `${VECTORS}/wycheproof/kmac256_no_customization_test.json`;
    const { testGroups } = JSON.parse(readFileSync(file, 'utf8')) as MacFile;
    let checked = 0;
    for (const group of testGroups) {
      for (const test of group.tests) {
        const tag = kmac256(fromHex(test.key), fromHex(test.msg), { dkLen: group.tagSize / 8 });
        expect(hex(tag) === test.tag).toBe(test.result === 'valid');
        checked += 1;
      }
    }
    expect(checked).toBeGreaterThan(50);
  });

  it('cshake256() agrees with the published vectors', () => {
    const raw = gunzipSync(readFileSync(`${VECTORS}/sha3/sha3-addons.json.gz`)).toString();
    const { v } = JSON.parse(raw) as { readonly v: readonly ShakeVector[] };
    const ours = v.filter((vector) => vector.fn_name === 'cshake256');
    for (const vector of ours) {
      const out = cshake256(fromHex(vector.data), {
        NISTfn: fromHex(vector.nist_fn ?? ''),
        personalization: fromHex(vector.personalization ?? ''),
        dkLen: vector.exp.length / 2,
      });
      expect(hex(out)).toBe(vector.exp);
    }
    expect(ours.length).toBeGreaterThan(0);
  });
});

describe('expand()', () => {
  it('expand() and extract() equal HKDF-SHA-256 of @noble/hashes', () => {
    fc.assert(
      fc.property(...input, (prk, salt, info) => {
        expect(hex(expand(prk, info))).toBe(hex(nobleExpand(sha256, prk, info, 32)));
        expect(hex(extract(salt, prk))).toBe(hex(nobleExtract(sha256, prk, salt)));
      }),
      { numRuns: 50 },
    );
  });
});

interface HkdfFile {
  readonly testGroups: readonly {
    readonly tests: readonly {
      readonly ikm: string;
      readonly salt: string;
      readonly info: string;
      readonly size: number;
      readonly okm: string;
      readonly result: string;
    }[];
  }[];
}
interface MacFile {
  readonly testGroups: readonly {
    readonly tagSize: number;
    readonly tests: readonly {
      readonly key: string;
      readonly msg: string;
      readonly tag: string;
      readonly result: string;
    }[];
  }[];
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
}
