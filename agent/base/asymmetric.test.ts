// Every asymmetric operation against published vectors where the interface admits them, round trips
// and refusals elsewhere, and the counter that G1 is read off.
import { createPublicKey, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  asymmetricCounts,
  decodeSigningPublic,
  encodeSigningPublic,
  ephemeralAgree,
  generateLaneKey,
  generateSealKey,
  generateSigningKey,
  generateWorkloadKey,
  rsaOaepEncrypt,
  sealTo,
  signingKeyFromSeeds,
  signingKeyId,
  verifyEd25519,
  verifyMldsa65,
  verifyTpmSignature,
  type TpmScheme,
} from './asymmetric.ts';
import { concat, fromHex, hex, utf8 } from './bytes.ts';
import { noVectors, wycheproof } from './vectors.ts';

interface SignatureCase {
  readonly msg: string;
  readonly sig: string;
  readonly ctx?: string;
}

/** A case that is judged otherwise than published, as one line for the report. */
const line = (test: { tcId: number; comment: string; result: string }): string =>
  `${test.tcId} ${test.result} ${test.comment}`;

describe.skipIf(noVectors)(`published signature vectors ${noVectors ?? ''}`, () => {
  it('verifyEd25519() judges every Wycheproof case as published', () => {
    interface Group {
      readonly publicKey: { readonly pk: string };
    }
    const cases = wycheproof<Group, SignatureCase>('ed25519');
    const wrong = cases.filter(({ publicKey, msg, sig, result }) => {
      const valid = verifyEd25519(fromHex(publicKey.pk), fromHex(msg), fromHex(sig), 'other');
      return valid !== (result === 'valid');
    });
    expect(cases.length).toBeGreaterThan(100);
    expect(wrong.map(line)).toEqual([]);
  });

  it('verifyMldsa65() judges every Wycheproof case without a context as published', () => {
    const cases = wycheproof<{ readonly publicKey: string }, SignatureCase>('mldsa_65_verify');
    const plain = cases.filter(({ ctx = '' }) => ctx === '');
    const wrong = plain.filter(({ publicKey, msg, sig, result }) => {
      const valid = verifyMldsa65(fromHex(publicKey), fromHex(msg), fromHex(sig), 'other');
      return valid !== (result === 'valid');
    });
    expect(plain.length).toBeGreaterThan(150);
    expect(wrong.map(line)).toEqual([]);
  });

  it('verifyMldsa65() refuses signatures that were made for a context', () => {
    const cases = wycheproof<{ readonly publicKey: string }, SignatureCase>('mldsa_65_verify');
    const withContext = cases.filter(({ ctx = '', result }) => ctx !== '' && result === 'valid');
    expect(withContext.length).toBeGreaterThan(0);
    for (const { publicKey, msg, sig } of withContext) {
      expect(verifyMldsa65(fromHex(publicKey), fromHex(msg), fromHex(sig), 'other')).toBe(false);
    }
  });

  it('signingKeyFromSeeds() gives the published ML-DSA-65 public key of a seed', () => {
    interface Group {
      readonly privateSeed: string;
      readonly publicKey: string;
    }
    const cases = wycheproof<Group, { readonly sig: string }>('mldsa_65_sign_seed');
    const byKey = new Map(
      cases
        .filter(({ result }) => result === 'valid')
        .map(({ privateSeed, publicKey }) => [privateSeed, publicKey]),
    );
    expect(byKey.size).toBeGreaterThan(10);
    for (const [seed, publicKey] of byKey) {
      const key = signingKeyFromSeeds({ ed25519: Buffer.alloc(32, 1), mldsa65: fromHex(seed) });
      expect(hex(key.public.mldsa65)).toBe(publicKey);
    }
  });

  const tpm: readonly (readonly [file: string, scheme: TpmScheme])[] = [
    ['rsa_signature_2048_sha256', { scheme: 'RSASSA', hash: 'sha256' }],
    ['rsa_pss_2048_sha256_mgf1_32', { scheme: 'RSAPSS', hash: 'sha256' }],
    ['ecdsa_secp256r1_sha256', { scheme: 'ECDSA', hash: 'sha256' }],
    ['ecdsa_secp384r1_sha384', { scheme: 'ECDSA', hash: 'sha384' }],
  ];
  for (const [file, scheme] of tpm) {
    it(`verifyTpmSignature() ${scheme.scheme} judges the Wycheproof cases of ${file}`, () => {
      const cases = wycheproof<{ readonly publicKeyDer: string }, SignatureCase>(file);
      const judged = cases.flatMap((test) => {
        const raw = scheme.scheme === 'ECDSA' ? rawEcdsa(test.sig, file) : fromHex(test.sig);
        // TPMs differ in the length of the salt (Part 1 B.7), so that any length must do.
        const unjudged = test.result === 'acceptable' || test.comment.startsWith('s_len changed');
        return raw === undefined || unjudged ? [] : [{ ...test, raw }];
      });
      const wrong = judged.filter(({ publicKeyDer, msg, raw, result }) => {
        const key = createPublicKey({ key: fromHex(publicKeyDer), format: 'der', type: 'spki' });
        return verifyTpmSignature(key, scheme, fromHex(msg), raw) !== (result === 'valid');
      });
      expect(judged.length).toBeGreaterThan(100);
      expect(wrong.map(line)).toEqual([]);
    });
  }
});

/** DER ECDSA-Sig-Value (RFC 3279 2.2.3) as r || s; undefined where that form cannot say the same. */
function rawEcdsa(sig: string, file: string): Buffer | undefined {
  const digits = file.includes('384') ? 96 : 64;
  const sequence = derContent(sig, '30');
  const r = derContent(sequence?.content ?? '', '02');
  const s = derContent(r?.rest ?? '', '02');
  if (sequence?.rest !== '' || r === undefined || s?.rest !== '') return undefined;
  const integers = [r.content, s.content].map((text) => text.replace(/^00(?=[89a-f])/, ''));
  const same = integers.every(
    (text, i) =>
      /^[0-7]/.test(i === 0 ? r.content : s.content) && // not negative
      !/^00./.test(text) && // not padded
      text.length <= digits,
  );
  return same ? fromHex(integers.map((text) => text.padStart(digits, '0')).join('')) : undefined;
}

/** One DER value with this tag in hex, and what follows it; undefined unless its length is minimal. */
function derContent(der: string, tag: string): { content: string; rest: string } | undefined {
  const long = der.startsWith(`${tag}81`);
  const start = long ? 6 : 4;
  const length = Number.parseInt(der.slice(start - 2, start), 16);
  const end = start + length * 2;
  if (!der.startsWith(tag) || long !== length >= 0x80 || end > der.length) return undefined;
  return { content: der.slice(start, end), rest: der.slice(end) };
}

describe('signing keys', () => {
  const key = generateSigningKey();
  const other = generateSigningKey();

  it('signatures verify under their own key, algorithm and message alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
        const same = hex(a) === hex(b);
        const ed = key.ed25519(a, 'other');
        const ml = key.mldsa65(a, 'other');
        expect(verifyEd25519(key.public.ed25519, b, ed, 'other')).toBe(same);
        expect(verifyMldsa65(key.public.mldsa65, b, ml, 'other')).toBe(same);
        expect(verifyEd25519(other.public.ed25519, a, ed, 'other')).toBe(false);
        expect(verifyMldsa65(other.public.mldsa65, a, ml, 'other')).toBe(false);
      }),
      { numRuns: 20 },
    );
  });

  it('verifyEd25519() verifyMldsa65() are false, and throw nothing, for keys and signatures of any length', () => {
    const junk = fc.uint8Array({ maxLength: 4000 });
    fc.assert(
      fc.property(junk, junk, (publicKey, signature) => {
        expect(verifyEd25519(publicKey, utf8('m'), signature, 'other')).toBe(false);
        expect(verifyMldsa65(publicKey, utf8('m'), signature, 'other')).toBe(false);
      }),
    );
  });

  it('signingKeyFromSeeds() makes the same key again', () => {
    const again = signingKeyFromSeeds(key.seeds());
    expect(again.public).toEqual(key.public);
    expect(again.keyId).toBe(key.keyId);
    const signature = again.mldsa65(utf8('m'), 'other');
    expect(verifyMldsa65(key.public.mldsa65, utf8('m'), signature, 'other')).toBe(true);
  });

  it('signingKeyId() depends on both halves', () => {
    const mixed = { ed25519: key.public.ed25519, mldsa65: other.public.mldsa65 };
    const ids = [signingKeyId(key.public), signingKeyId(other.public), signingKeyId(mixed)];
    expect(new Set(ids).size).toBe(3);
    expect(ids[0]).toBe(key.keyId);
  });

  it('decodeSigningPublic() inverts encodeSigningPublic() and takes no other length', () => {
    const raw = encodeSigningPublic(key.public);
    expect(decodeSigningPublic(raw)).toEqual(key.public);
    expect(() => decodeSigningPublic(raw.subarray(1))).toThrow(RangeError);
    expect(() => decodeSigningPublic(concat(raw, Buffer.alloc(1)))).toThrow(RangeError);
  });

  it('generateWorkloadKey() signs what its public half verifies', () => {
    const workload = generateWorkloadKey();
    const signature = workload.sign(utf8('token'));
    expect(verifyEd25519(workload.public, utf8('token'), signature, 'tokens')).toBe(true);
    expect(verifyEd25519(workload.public, utf8('other'), signature, 'tokens')).toBe(false);
  });
});

describe('lane keys', () => {
  it('agree() gives both sides one secret that no third key has', () => {
    const [a, b, c] = [generateLaneKey(), generateLaneKey(), generateLaneKey()];
    expect(a.agree(b.public)).toEqual(b.agree(a.public));
    expect(a.agree(c.public)).not.toEqual(a.agree(b.public));
    expect(a.agree(b.public)).toHaveLength(32);
  });

  it('agree() refuses a key of another length', () => {
    for (const length of [0, 31, 33]) {
      expect(() => generateLaneKey().agree(new Uint8Array(length))).toThrow();
    }
  });

  it.skipIf(noVectors)(
    `agree() refuses every published key that gives an all-zero secret, and only those ${noVectors ?? ''}`,
    () => {
      interface Case {
        readonly public: string;
        readonly shared: string;
      }
      const key = generateLaneKey();
      const cases = wycheproof<object, Case>('x25519');
      const zero = cases.filter(({ flags }) => flags.includes('ZeroSharedSecret'));
      const good = cases.filter(({ flags }) => flags.includes('Normal'));
      expect(zero.length).toBeGreaterThan(5);
      expect(good.length).toBeGreaterThan(0);
      for (const test of zero) expect(() => key.agree(fromHex(test.public))).toThrow(RangeError);
      for (const test of good) expect(key.agree(fromHex(test.public))).toHaveLength(32);
    },
  );
});

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

describe('seal keys', () => {
  const info = utf8('record hash');
  const message = utf8('thirty-two bytes of chain secret');

  it('open() gives back what sealTo() sealed, once', () => {
    const key = generateSealKey();
    const sealed = sealTo(key.public, info, message);
    expect(key.public).toHaveLength(1216);
    expect(sealed.enc).toHaveLength(1120);
    expect(key.open(sealed, info)).toEqual(Buffer.from(message));
    expect(() => key.open(sealed, info)).toThrow(RangeError);
  });

  it('open() refuses another info, key, enc or ciphertext and is not used up by that', () => {
    const key = generateSealKey();
    const sealed = sealTo(key.public, info, message);
    const stranger = generateSealKey();
    expect(() => stranger.open(sealed, info)).toThrow();
    expect(() => key.open(sealed, utf8('other'))).toThrow();
    for (const at of [0, 600, 1100]) {
      expect(() => key.open({ ...sealed, enc: flipped(sealed.enc, at) }, info)).toThrow();
    }
    for (let at = 0; at < sealed.ciphertext.length; at += 7) {
      const ciphertext = flipped(sealed.ciphertext, at);
      expect(() => key.open({ ...sealed, ciphertext }, info)).toThrow();
    }
    expect(key.open(sealed, info)).toEqual(Buffer.from(message));
  });

  it('sealTo() refuses a public key of another length', () => {
    for (const length of [0, 32, 1215, 1217]) {
      expect(() => sealTo(new Uint8Array(length), info, message)).toThrow();
    }
  });

  it('sealTo() seals the same message differently each time', () => {
    const key = generateSealKey();
    const [a, b] = [sealTo(key.public, info, message), sealTo(key.public, info, message)];
    expect(hex(a.enc)).not.toBe(hex(b.enc));
    expect(hex(a.ciphertext)).not.toBe(hex(b.ciphertext));
  });
});

describe('TPM keys', () => {
  it('rsaOaepEncrypt() is opened by the private key with the same label and hash alone', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const label = utf8('IDENTITY\0');
    const sealed = rsaOaepEncrypt(publicKey, 'sha256', label, utf8('seed'));
    const open = (oaepHash: string, oaepLabel: Uint8Array) =>
      privateDecrypt({ key: privateKey, oaepHash, oaepLabel }, sealed);
    expect(open('sha256', label)).toEqual(Buffer.from('seed'));
    expect(() => open('sha256', utf8('IDENTITY'))).toThrow();
    expect(() => open('sha1', label)).toThrow();
  });

  it('ephemeralAgree() gives the x coordinate that the other side computes', () => {
    for (const namedCurve of ['P-256', 'P-384']) {
      const peer = generateKeyPairSync('ec', { namedCurve });
      const { ephemeral, x } = ephemeralAgree(peer.publicKey);
      expect(x).toHaveLength(namedCurve === 'P-256' ? 32 : 48);
      expect(ephemeral.asymmetricKeyDetails).toEqual(peer.publicKey.asymmetricKeyDetails);
    }
  });

  it('verifyTpmSignature() is false for a signature of any length', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (signature) => {
        for (const scheme of ['RSASSA', 'RSAPSS'] as const) {
          expect(verifyTpmSignature(rsa, { scheme, hash: 'sha256' }, utf8('m'), signature)).toBe(
            false,
          );
        }
        const ecdsa = { scheme: 'ECDSA', hash: 'sha256' } as const;
        expect(verifyTpmSignature(ec, ecdsa, utf8('m'), signature)).toBe(false);
      }),
    );
  });
});

/** How total, statements and tokens rise while `act` runs. */
async function delta(act: () => unknown): Promise<number[]> {
  const before = asymmetricCounts();
  await act();
  const after = asymmetricCounts();
  return [
    after.total - before.total,
    after.statements - before.statements,
    after.tokens - before.tokens,
  ];
}

describe('asymmetricCounts()', () => {
  it('asymmetricCounts() counts each operation once, under its purpose', async () => {
    const signer = generateSigningKey();
    const lane = generateLaneKey();
    const workload = generateWorkloadKey();
    const seal = generateSealKey();
    const message = utf8('m');
    const sealed = sealTo(seal.public, message, message);
    const { ed25519 } = signer.public;
    const signature = workload.sign(message);

    expect(await delta(() => signer.ed25519(message, 'statements'))).toEqual([1, 1, 0]);
    expect(await delta(() => signer.mldsa65(message, 'other'))).toEqual([1, 0, 0]);
    expect(await delta(() => workload.sign(message))).toEqual([1, 0, 1]);
    expect(await delta(() => verifyEd25519(ed25519, message, signature, 'tokens'))).toEqual([
      1, 0, 1,
    ]);
    expect(await delta(() => lane.agree(generateLaneKey().public))).toEqual([2, 2, 0]);
    expect(await delta(() => sealTo(seal.public, message, message))).toEqual([1, 1, 0]);
    expect(await delta(() => seal.open(sealed, message))).toEqual([1, 1, 0]);
  });
});
