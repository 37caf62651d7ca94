import { subtle } from 'node:crypto';
import { expand as nobleExpand, extract as nobleExtract, hkdf } from '@noble/hashes/hkdf.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256 } from '@noble/hashes/sha3.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, field, hex, utf8, type Bytes } from '#agent/base/bytes.ts';
import { deriveKey } from './blake3.fixture.ts';
import { expand, extract } from './hkdf.ts';
import { AEADS, CHIPS, DEFAULT_MANDATORY, chipsAlgorithm } from './registry.ts';

const CONTEXT = 'tidelock chips 2026 epoch step v1';
const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const input = [fc.uint8Array({ minLength: 32, maxLength: 32 }), bytes(64), bytes(64)] as const;

const subtleDigest = async (name: string, options: object, message: Uint8Array) =>
  Buffer.from(await subtle.digest({ name, outputLength: 256, ...options }, message.slice()));

/** Holds the derivation of `id` against `second` for many inputs. */
const forInputs = (
  id: number,
  second: (ikm: Bytes, salt: Bytes, info: Bytes) => Promise<Buffer>,
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(...input, async (ikm, salt, info) => {
      expect(hex(deriveOf(id)(ikm, salt, info))).toBe(hex(await second(ikm, salt, info)));
    }),
    { numRuns: 50 },
  );
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

  it('derive() of BLAKE3 equals derive_key of the three fields, as written from the paper', () => {
    fc.assert(
      fc.property(...input, (ikm, salt, info) => {
        const material = concat(field(ikm), field(salt), field(info));
        expect(hex(deriveOf(5)(ikm, salt, info))).toBe(hex(deriveKey(utf8(CONTEXT), material)));
      }),
      { numRuns: 50 },
    );
  });

  it('derive() of cSHAKE256 equals WebCrypto', async () => {
    const options = { customization: Buffer.from(CONTEXT) };
    await forInputs(7, (ikm, salt, info) =>
      subtleDigest('cSHAKE256', options, concat(field(ikm), field(salt), field(info))),
    );
  });

  it('derive() of TurboSHAKE256 equals WebCrypto', async () => {
    const options = { domainSeparation: 0x1f };
    await forInputs(8, (ikm, salt, info) => {
      const message = concat(field(CONTEXT), field(ikm), field(salt), field(info));
      return subtleDigest('TurboSHAKE256', options, message);
    });
  });

  it('derive() of KMAC256 equals WebCrypto', async () => {
    const name = 'KMAC256';
    const customization = Buffer.from(CONTEXT);
    await forInputs(6, async (ikm, salt, info) => {
      const key = await subtle.importKey('raw-secret', ikm.slice(), { name }, false, ['sign']);
      const data = concat(field(salt), field(info)).slice();
      return Buffer.from(await subtle.sign({ name, outputLength: 256, customization }, key, data));
    });
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
