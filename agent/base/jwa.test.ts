// Which key is for which algorithm. That signatures of each verify is in attest/ear/signature.test.ts,
// on published tokens.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { asymmetricCounts, verifyJwa } from './asymmetric.ts';
import { isJwaName, jwaFits, type JwaName } from './jwa.ts';

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).publicKey;
const rsa = (modulusLength: number): KeyObject =>
  generateKeyPairSync('rsa', { modulusLength }).publicKey;

const KEYS: readonly (readonly [name: string, key: KeyObject, algs: readonly JwaName[]])[] = [
  ['P-256', ec('P-256'), ['ES256']],
  ['P-384', ec('P-384'), ['ES384']],
  ['P-521', ec('P-521'), ['ES512']],
  ['secp256k1', ec('secp256k1'), []],
  ['RSA of 2,048 bits', rsa(2048), ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['RSA of 1,024 bits', rsa(1024), []],
  ['Ed25519', generateKeyPairSync('ed25519').publicKey, ['EdDSA', 'Ed25519']],
  ['Ed448', generateKeyPairSync('ed448').publicKey, []],
  ['ML-DSA-65', generateKeyPairSync('ml-dsa-65').publicKey, ['ML-DSA-65']],
  ['ML-DSA-44', generateKeyPairSync('ml-dsa-44').publicKey, []],
  ['a private key', generateKeyPairSync('ed25519').privateKey, []],
];

const ALL: readonly JwaName[] = [...new Set(KEYS.flatMap(([, , algs]) => algs))];

describe('jwaFits()', () => {
  it.each(KEYS)('knows what %s is for', (_name, key, algs) => {
    expect(ALL.filter((alg) => jwaFits(key, alg))).toEqual(algs);
  });
});

describe('isJwaName()', () => {
  it('knows signature algorithms alone', () => {
    expect(ALL.every(isJwaName)).toBe(true);
    expect(['none', 'HS256', 'es256', 'ES256K', 'toString', ''].filter(isJwaName)).toEqual([]);
  });
});

describe('verifyJwa()', () => {
  it('refuses a key that does not fit and a signature of any other length, and counts each', () => {
    const before = asymmetricCounts().total;
    const message = Buffer.from('message');
    for (const [, key] of KEYS) {
      for (const alg of ALL) expect(verifyJwa(key, alg, message, Buffer.alloc(7))).toBe(false);
    }
    expect(asymmetricCounts().total - before).toBe(KEYS.length * ALL.length);
  });
});
