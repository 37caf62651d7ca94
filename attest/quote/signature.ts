// The signature of a quote in the forms that tools write: TPMT_SIGNATURE, or the plain RSA or DER ECDSA
// signature of `tpm2_quote -f plain`, which names neither scheme nor hash.
import { concat, u16, type Bytes } from '#agent/base/bytes.ts';
import { malformed } from '#attest/cursor.ts';
import { derChildren, derElement } from '#attest/der.ts';
import { ALG, hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { parseSignature, verifySignature, type VerifyingKey } from '#attest/tpm/signature.ts';

const WHAT = 'quote signature';
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const HASHES: readonly HashName[] = ['sha256', 'sha384', 'sha512', 'sha1'];

export interface SignatureOf {
  readonly key: VerifyingKey;
  readonly message: Bytes;
}

/**
 * `bytes` as a TPMT_SIGNATURE. A plain one gets the scheme and hash under which it verifies, or those of
 * the first try where it verifies under none. Errors: EVIDENCE_MALFORMED, when it has no known form.
 */
export function tpmtSignature(bytes: Bytes, { key, message }: SignatureOf): Bytes {
  const values = plainValues(bytes, key);
  if (values === undefined) {
    parseSignature(bytes);
    return bytes;
  }
  const tries = schemesOf(key).map(({ scheme, hash }) =>
    concat(u16(scheme), u16(hash), ...values.flatMap((value) => [u16(value.length), value])),
  );
  const verifies = (each: Buffer): boolean => verifySignature(key, parseSignature(each), message);
  return tries.find(verifies) ?? tries[0] ?? bytes;
}

/** The numbers of a plain signature; undefined when it is none. */
function plainValues(bytes: Bytes, key: VerifyingKey): readonly Buffer[] | undefined {
  if (key.type === 'RSA') {
    const bits = key.key.asymmetricKeyDetails?.modulusLength ?? 0;
    return bytes.length * 8 === bits ? [Buffer.from(bytes)] : undefined;
  }
  if (bytes[0] !== SEQUENCE) return undefined;
  const element = derElement(bytes, WHAT);
  const [r, s, ...rest] = derChildren(element, WHAT);
  const twoIntegers = r?.tag === INTEGER && s?.tag === INTEGER && rest.length === 0;
  if (!twoIntegers || element.raw.length !== bytes.length) {
    throw malformed(WHAT, 'not an ECDSA signature of two integers');
  }
  return [unsigned(r.content), unsigned(s.content)];
}

/** DER puts a zero before a number whose first bit is set (X.690 8.3). */
const unsigned = (number: Buffer): Buffer =>
  number.subarray(number.findIndex((byte) => byte !== 0));

interface Scheme {
  readonly scheme: number;
  readonly hash: number;
}

/** That of the key where it is bound to one, else every one that a TPM knows. */
function schemesOf({ type, scheme }: VerifyingKey): readonly Scheme[] {
  if (scheme?.hash !== undefined) return [{ scheme: scheme.id, hash: scheme.hash.id }];
  const ids = type === 'RSA' ? [ALG.RSASSA, ALG.RSAPSS] : [ALG.ECDSA];
  return ids.flatMap((id) => HASHES.map((name) => ({ scheme: id, hash: hashByName(name).id })));
}
