// Judges a manifest of reference values (CoRIM, CoMID): who signed it, if anybody did. Whether a node
// conforms to it is another question; what a manifest asks is given out for a policy to be made of.
import type { Bytes } from '#agent/base/bytes.ts';
import { verifyJwa } from '#agent/base/asymmetric.ts';
import { jwaFits } from '#agent/base/jwa.ts';
import type { Json } from '#agent/base/jcs.ts';
import { coseJwa, sign1Of, type CoseSign1 } from '#attest/cbor/cose.ts';
import { CborTag, decodeCbor } from '#attest/cbor/decode.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import { malformed } from '#attest/cursor.ts';
import { printable } from '#attest/printable.ts';
import type { VerificationKey } from '#attest/verificationKey.ts';
import { TAG } from './labels.ts';
import { readManifest } from './read.ts';

export const MAX_CORIM_BYTES = 1 << 20;

export interface CorimAppraisal {
  readonly checks: readonly Check[];
  /** What it says; empty unless its signature verified. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** What it says, whoever wrote it. */
  readonly manifest: { readonly [kind: string]: Json };
}

const WHAT = 'manifest';
const SIGNATURE = 'manifest signature';

/** Appraises a manifest under the keys of those who may write one. Errors: EVIDENCE_MALFORMED. */
export function judgeCorim(bytes: Bytes, keys: readonly VerificationKey[]): CorimAppraisal {
  if (bytes.length > MAX_CORIM_BYTES) throw malformed(WHAT, `it is over ${MAX_CORIM_BYTES} bytes`);
  const message = unwrapped(decodeCbor(bytes, WHAT));
  if (!(message instanceof CborTag && message.tag === TAG.cose)) {
    const text =
      'Nobody signed it: whoever handed it over may have written it. It is shown, no more.';
    const unsigned = notChecked(SIGNATURE, text, 'none');
    return { checks: [FORM, unsigned], claims: {}, manifest: readManifest(message) };
  }
  const envelope = sign1Of(message, WHAT);
  const manifest = readManifest(decodeCbor(envelope.payload, WHAT));
  const signature = signatureCheck(envelope, keys);
  const claims = signature.result === 'pass' ? manifest : {};
  return { checks: [FORM, signature], claims, manifest };
}

const FORM = pass('manifest form', 'Every member that the specification names has its shape.');

/** Without the tags that say only that some form of CoRIM follows. */
function unwrapped(value: ReturnType<typeof decodeCbor>): ReturnType<typeof decodeCbor> {
  return value instanceof CborTag &&
    (value.tag === TAG.corimChoice || value.tag === TAG.signedCorim)
    ? unwrapped(value.value)
    : value;
}

function signatureCheck(
  { alg, toBeSigned, signature }: CoseSign1,
  keys: readonly VerificationKey[],
): Check {
  if (keys.length === 0) {
    const text = 'It is signed, and no key was given to verify that by (--key).';
    return notChecked(SIGNATURE, text, 'none');
  }
  const jwa = coseJwa(alg);
  if (jwa === undefined)
    return fail(SIGNATURE, `COSE algorithm ${printable(String(alg ?? 'none'))} is not accepted.`);
  const fitting = keys.filter(({ key }) => jwaFits(key, jwa));
  return fitting.some(({ key }) => verifyJwa(key, jwa, toBeSigned, signature))
    ? pass(SIGNATURE, `${jwa} verifies under the key that was given.`)
    : fail(
        SIGNATURE,
        `${jwa} does not verify under a key that was given: a byte changed, or another author signed.`,
      );
}
