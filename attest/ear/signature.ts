// Whether a key that the reader trusts signed a token. The algorithm follows from the key: what the token
// says of itself is compared with it, and what else its header carries (jwk, jku, x5c) is never used.
import { verifyJwa } from '#agent/base/asymmetric.ts';
import { isJwaName, jwaFits, type JwaName } from '#agent/base/jwa.ts';
import { fail, pass, type Check } from '#attest/check.ts';
import { printable } from '#attest/printable.ts';
import type { Jws, JsonObject } from './jws.ts';
import type { VerificationKey } from '#attest/verificationKey.ts';

/** Name of the check. */
export const SIGNATURE = 'token signature';

/** Whether one of `keys` made the signature by an algorithm that fits it (RFC 7515 5.2, RFC 8725 3). */
export function signatureCheck(
  { header, signed, signature }: Jws,
  keys: readonly VerificationKey[],
): Check {
  const { alg, crit, kid } = header;
  if (crit !== undefined || header['b64'] !== undefined) {
    return fail(SIGNATURE, 'Its header has extensions that must be understood; none is known.');
  }
  if (typeof alg !== 'string' || !isJwaName(alg)) return fail(SIGNATURE, algorithmText(alg));
  const fitting = keys.filter((each) => fits(each, alg));
  if (fitting.length === 0) {
    const kinds = keys.map(({ key }) => key.asymmetricKeyType).join(', ');
    return fail(SIGNATURE, `It is signed by ${alg}; no key that was given is for that (${kinds}).`);
  }
  const named = typeof kid === 'string' ? ` It names key "${printable(kid)}".` : '';
  return fitting.some(({ key }) => verifyJwa(key, alg, signed, signature))
    ? pass(SIGNATURE, `${alg} verifies under the key that was given.${named}`)
    : fail(
        SIGNATURE,
        `${alg} does not verify under the key that was given: a byte changed, or another verifier signed.${named}`,
      );
}

/** RFC 8725 3.1: the algorithm is the reader's choice, by the key, and not the token's. */
const fits = ({ key, alg: only }: VerificationKey, alg: JwaName): boolean =>
  jwaFits(key, alg) && (only === undefined || only === alg || isEdDsa(only, alg));

/** RFC 9864 2.2 gives Ed25519 a name of its own, which older tokens call EdDSA. */
const isEdDsa = (...names: readonly string[]): boolean =>
  names.every((name) => name === 'EdDSA' || name === 'Ed25519');

function algorithmText(alg: JsonObject[string]): string {
  if (alg === 'none') return 'Its algorithm is none: nobody signed it.';
  const name = printable(JSON.stringify(alg ?? 'none given'));
  return typeof alg === 'string' && alg.startsWith('HS')
    ? `Its algorithm is ${name}, a MAC: whoever can verify it can write it.`
    : `Its algorithm is ${name}, which is not accepted.`;
}
