// Judges an attestation result that a verifier signed (EAR, draft-ietf-rats-ear; EAT, RFC 9711; JWT, RFC
// 8725): who signed it, when it holds, and what it says. Claims come only from a payload that verified.
import type { Bytes } from '#agent/base/bytes.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import { malformed } from '#attest/cursor.ts';
import { readBounded } from '#attest/boundedJson.ts';
import { printable } from '#attest/printable.ts';
import { worstOf } from '#attest/trustVector.ts';
import { readEarClaims } from './claims.ts';
import { eatChecks, isPlainEat } from './eat.ts';
import { claimsSetOf, isObject, parseJws, type Jws, type JsonObject } from './jws.ts';
import type { VerificationKey } from '#attest/verificationKey.ts';
import { resultChecks } from './result.ts';
import { SIGNATURE, signatureCheck } from './signature.ts';

/** Raw evidence may be inside, an event log among it. */
export const MAX_EAR_BYTES = 2 << 20;

export interface EarTerms {
  /** Keys of verifiers that the reader trusts. */
  readonly keys: readonly VerificationKey[];
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
  const payload = claimsSetOf(jws);
  const signature = signatureCheck(jws, keys);
  if (signature.result !== 'pass') {
    const text = 'Nothing of a token that no trusted verifier signed is looked at.';
    return { checks: [signature, notChecked('claims', text, 'none')], claims: {} };
  }
  return { checks: [signature, ...claimChecks(payload, atMs)], claims: payload };
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
  const [wrapped, other] = WRAPPERS.map((name) => unsigned[name]).filter(
    (member) => typeof member === 'string',
  );
  if (other !== undefined) throw malformed(what, `two tokens, ${WRAPPERS.join(' and ')}`);
  return wrapped === undefined ? { unsigned } : { jws: parseJws(wrapped) };
}

function claimChecks(payload: JsonObject, atMs: number): Check[] {
  const name = 'EAR claims';
  if (isPlainEat(payload)) return eatChecks(payload, atMs);
  const result = readEarClaims(payload);
  if ('problems' in result) {
    const problems = printable(result.problems.slice(0, 5).join('; '), 500);
    return [fail(name, `It is no attestation result: ${problems}.`)];
  }
  const text = `By verifier ${printable(result.verifier)}; attesters in it: ${result.submodules.length}.`;
  return [pass(name, text), ...resultChecks(result, atMs)];
}
