// Judges an attestation result that a verifier signed (EAR, draft-ietf-rats-ear; EAT, RFC 9711; JWT, RFC
// 8725): who signed it, when it holds, and what it says. Claims come only from a payload that verified.
import { verifyJwa } from '#agent/base/asymmetric.ts';
import type { Bytes } from '#agent/base/bytes.ts';
import { isJwaName, jwaFits, type JwaName } from '#agent/base/jwa.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import { malformed } from '#attest/cursor.ts';
import { readBounded } from '#attest/reportText.ts';
import { worstOf } from '#attest/trustVector.ts';
import { readEarClaims } from './claims.ts';
import { isObject, parseJws, type Jws, type JsonObject } from './jws.ts';
import type { EarKey } from './key.ts';
import { resultChecks } from './result.ts';

/** Raw evidence may be inside, an event log among it. */
export const MAX_EAR_BYTES = 8 << 20;

export interface EarTerms {
  /** Keys of verifiers that the reader trusts. */
  readonly keys: readonly EarKey[];
  /** Unix milliseconds as of which it is judged. */
  readonly atMs: number;
}

export interface EarAppraisal {
  readonly checks: readonly Check[];
  /** The claims set as signed; empty unless its signature verified. */
  readonly claims: JsonObject;
}

/** Appraises a token or a bare claims set. Errors: EVIDENCE_MALFORMED; one that does not hold is a verdict. */
export function judgeEar(bytes: Bytes, { keys, atMs }: EarTerms): EarAppraisal {
  const read = readEar(bytes);
  if (!('jws' in read)) {
    const text =
      'It is a claims set alone, which nobody signed: whatever it says may be made up. Ask the verifier for the token.';
    return {
      checks: [
        notChecked(SIGNATURE, text, 'none'),
        ...claimChecks(read.unsigned, atMs).map(unvouched),
      ],
      claims: {},
    };
  }
  const { jws } = read;
  const signature = signatureCheck(jws, keys);
  if (signature.result !== 'pass') {
    const text = 'Nothing of a token that no trusted verifier signed is looked at.';
    return { checks: [signature, notChecked('claims', text, 'none')], claims: {} };
  }
  return { checks: [signature, ...claimChecks(jws.payload, atMs)], claims: jws.payload };
}

/** What nobody signed may speak against an attester, and never for one. */
const unvouched = ({ name, text, ceiling }: Check): Check =>
  notChecked(name, `Unsigned: ${text}`, worstOf([ceiling, 'none']));

type EarText = { readonly jws: Jws } | { readonly unsigned: JsonObject };

/** Members in which services hand out a token: Veraison, Trustee. */
const WRAPPERS = ['result', 'token'] as const;

/** A compact token, JSON with one in it, or a claims set. Errors: EVIDENCE_MALFORMED. */
export function readEar(bytes: Bytes): EarText {
  const what = 'attestation result';
  if (bytes.length > MAX_EAR_BYTES) throw malformed(what, `it is over ${MAX_EAR_BYTES} bytes`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString().trim();
  if (!/^[{"]/.test(text)) return { jws: parseJws(text) };
  const json = readBounded(bytes, MAX_EAR_BYTES);
  if ('why' in json) throw malformed(what, `it is ${json.why}`);
  if (typeof json.value === 'string') return { jws: parseJws(json.value) };
  if (!isObject(json.value)) throw malformed(what, 'neither a token nor a claims set');
  const unsigned = json.value;
  const wrapped = WRAPPERS.map((name) => unsigned[name]).find(
    (member) => typeof member === 'string',
  );
  return wrapped === undefined ? { unsigned } : { jws: parseJws(wrapped) };
}

const SIGNATURE = 'token signature';

function signatureCheck({ header, signed, signature }: Jws, keys: readonly EarKey[]): Check {
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
  const named = typeof kid === 'string' ? ` It names key ${JSON.stringify(kid.slice(0, 80))}.` : '';
  return fitting.some(({ key }) => verifyJwa(key, alg, signed, signature))
    ? pass(SIGNATURE, `${alg} verifies under the key that was given.${named}`)
    : fail(
        SIGNATURE,
        `${alg} does not verify under the key that was given: a byte changed, or another verifier signed.${named}`,
      );
}

/** RFC 8725 3.1: the algorithm is the reader's choice, by the key, and not the token's. */
const fits = ({ key, alg: only }: EarKey, alg: JwaName): boolean =>
  jwaFits(key, alg) && (only === undefined || only === alg || isEdDsa(only, alg));

/** RFC 9864 2.2 gives Ed25519 a name of its own, which older tokens call EdDSA. */
const isEdDsa = (...names: readonly string[]): boolean =>
  names.every((name) => name === 'EdDSA' || name === 'Ed25519');

function algorithmText(alg: JsonObject[string]): string {
  if (alg === 'none') return 'Its algorithm is none: nobody signed it.';
  const name = JSON.stringify(alg ?? 'none given').slice(0, 80);
  return typeof alg === 'string' && alg.startsWith('HS')
    ? `Its algorithm is ${name}, a MAC: whoever can verify it can write it.`
    : `Its algorithm is ${name}, which is not accepted.`;
}

function claimChecks(payload: JsonObject, atMs: number): Check[] {
  const name = 'EAR claims';
  const result = readEarClaims(payload);
  if ('problems' in result) {
    const problems = result.problems.slice(0, 5).join('; ').slice(0, 500);
    return [fail(name, `It is no attestation result: ${problems}.`)];
  }
  const text = `By verifier ${result.verifier}, about ${result.submodules.length} attesters.`;
  return [pass(name, text), ...resultChecks(result, atMs)];
}
