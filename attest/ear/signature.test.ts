// The whole of Wycheproof's JSON Web Signature file against key, token and signature, and the published
// example of the one algorithm that it lacks.
import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { b64url, utf8 } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { noVectors, wycheproof } from '#agent/base/vectors.ts';
import {
  keysOfSigner,
  parseVerificationKeys,
  type VerificationKey,
} from '#attest/verificationKey.ts';
import { parseJws } from './jws.ts';
import { signatureCheck } from './signature.ts';

interface Group {
  /** A JWK; absent where the key is a shared one. */
  readonly public?: object;
}
interface Case {
  readonly jws: unknown;
}

/** Refused as malformed counts as refused. */
function isAccepted(token: string, keys: () => readonly VerificationKey[]): boolean {
  try {
    return signatureCheck(parseJws(token), keys()).result === 'pass';
  } catch (error) {
    if (error instanceof TidelockError && error.code === 'EVIDENCE_MALFORMED') return false;
    throw error;
  }
}

const jwk = (key: object) => () => parseVerificationKeys(utf8(JSON.stringify(key)));

/** Published as valid, though `alg` of the key is PS256 or ES521 and that of the token another. */
const KEY_FOR_ANOTHER_ALGORITHM: readonly number[] = [346, 347, 350, 351];

describe.skipIf(noVectors)(`signatureCheck() ${noVectors ?? ''}`, () => {
  const cases = wycheproof<Group, Case>('json_web_signature');

  it('judges every published token of a public key as published', () => {
    const wrong = cases.flatMap(({ public: key, jws, tcId, comment, result }) => {
      if (key === undefined || KEY_FOR_ANOTHER_ALGORITHM.includes(tcId)) return [];
      const token = typeof jws === 'string' ? jws : JSON.stringify(jws);
      return isAccepted(token, jwk(key)) === (result === 'valid') ? [] : [`${tcId} ${comment}`];
    });
    expect(wrong).toEqual([]);
    expect(cases.filter(({ public: key }) => key !== undefined).length).toBeGreaterThan(300);
  });

  it('refuses a key for another algorithm than that of the token (RFC 7517 4.4)', () => {
    const odd = cases.filter(({ tcId }) => KEY_FOR_ANOTHER_ALGORITHM.includes(tcId));
    expect(odd).toHaveLength(KEY_FOR_ANOTHER_ALGORITHM.length);
    for (const { public: key, jws } of odd) {
      expect(isAccepted(String(jws), jwk(key ?? {}))).toBe(false);
    }
  });

  it('refuses every MAC, whatever key is given', () => {
    const { public: keys } = generateSigningKey();
    const macs = cases.filter(({ public: key }) => key === undefined);
    expect(macs.length).toBeGreaterThan(10);
    for (const { jws } of macs) {
      if (typeof jws !== 'string') continue;
      expect(isAccepted(jws, () => keysOfSigner(keys))).toBe(false);
    }
  });
});

describe('signatureCheck()', () => {
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
  const EXAMPLE =
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';

  it('accepts the Ed25519 example of RFC 8037 A.4, under either name of the algorithm', () => {
    const key = { kty: 'OKP', crv: 'Ed25519', x };
    expect(isAccepted(EXAMPLE, jwk(key))).toBe(true);
    expect(isAccepted(EXAMPLE, jwk({ ...key, alg: 'Ed25519' }))).toBe(true);
    expect(isAccepted(EXAMPLE, jwk({ ...key, alg: 'ML-DSA-65' }))).toBe(false);
    expect(isAccepted(EXAMPLE.replace(/g$/, 'w'), jwk(key))).toBe(false);
  });

  const signer = generateSigningKey();
  const token = (alg: string, header: object = {}): string => {
    const signed = `${b64url(utf8(JSON.stringify({ alg, ...header })))}.${b64url(utf8('{}'))}`;
    const half = alg === 'ML-DSA-65' ? 'mldsa65' : 'ed25519';
    return `${signed}.${b64url(signer[half](utf8(signed), 'other'))}`;
  };
  const check = (text: string) => signatureCheck(parseJws(text), keysOfSigner(signer.public));

  it.each(['EdDSA', 'Ed25519', 'ML-DSA-65'])('accepts %s of a signing key of ours', (alg) => {
    expect(check(token(alg)).result).toBe('pass');
  });

  it.each([
    ['nobody', token('none'), /nobody signed it/],
    ['a MAC', token('HS256'), /a MAC: whoever can verify/],
    ['an algorithm that is unknown', token('ES256K'), /"ES256K", which is not accepted/],
    ['no algorithm', `${b64url(utf8('{}'))}.e30.`, /"none given", which is not accepted/],
    ['an algorithm that is no text', `${b64url(utf8('{"alg":1}'))}.e30.`, /not accepted/],
    ['an algorithm that no key is for', token('RS256'), /no key that was given is for that/],
    ['an extension', token('EdDSA', { crit: ['exp'] }), /extensions that must be understood/],
    ['an unencoded payload', token('EdDSA', { b64: false }), /extensions that must be understood/],
  ])('refuses a token by %s', (_what, text, why) => {
    const { result, text: found } = check(text);
    expect(result).toBe('fail');
    expect(found).toMatch(why);
  });
});
