// PROTOCOL 3: signed documents, their hash and their signatures.
import { sha256 } from '@noble/hashes/sha2.js';
import { base64url, hex, join, unbase64url } from './bytes.ts';
import { jcs } from './jcs.ts';
import { publicHalf, signEd25519, verifies } from './keys.ts';
import { refuse } from './refused.ts';
import { keyId, signKey } from './statements.ts';
import { Given, type Json, type JsonObject, type Rows } from './vectors.ts';

const SIGNATURES_MAX = 8;

/** The bytes that the signatures of a document are over. */
const signedBytes = (kind: string, payload: Json): Uint8Array =>
  join('tidelock/', kind, '/v1', Uint8Array.of(0), jcs(payload));

interface Signer {
  readonly ed25519: Uint8Array;
  readonly mldsa65: Uint8Array;
}

/** The one signature of that algorithm and key over a message, if it is right; else Refused. */
function signatureOf(
  document: Given,
  alg: string,
  signer: Signer,
  message: Uint8Array,
): JsonObject {
  const id = keyId(join(signer.ed25519, signer.mldsa65));
  const signature = document
    .objects('signatures')
    .find((each) => each.text('alg') === alg && each.text('keyId') === id);
  if (signature === undefined) refuse('3', `no signature by ${alg}`);
  const sig = unbase64url('3', signature.text('sig'));
  const right =
    alg === 'Ed25519'
      ? verifies('ed25519', signer.ed25519, message, sig)
      : verifies('ml-dsa-65', signer.mldsa65, message, sig);
  return right ? signature.values : refuse('3', `a wrong signature by ${alg}`);
}

/** The rows of section 3 itself. */
export const documentRows: Rows = {
  jcs: (given) => ({ jcs: hex(jcs(given.json('value'))) }),

  document: (given, offered) => {
    const kind = given.text('kind');
    const payload = given.json('payload');
    const signed = signedBytes(kind, payload);
    const seed = given.bytes('ed25519Seed');
    const signer = {
      ed25519: publicHalf('ed25519', seed),
      mldsa65: publicHalf('ml-dsa-65', given.bytes('mldsa65Seed')),
    };
    const signatures = given
      .texts('algs')
      .map((alg) =>
        alg === 'Ed25519'
          ? { alg, keyId: keyId(signKey(given)), sig: base64url(signEd25519(seed, signed)) }
          : signatureOf(new Given(offered).object('document'), alg, signer, signed),
      );
    return {
      signed: hex(signed),
      hash: hex(sha256(jcs({ v: 1, kind, payload }))),
      document: { v: 1, kind, payload, signatures },
    };
  },

  readDocument: (given) => {
    const document = given.object('document');
    if (document.json('v') !== 1) refuse('3', 'another version');
    if (document.text('kind') !== given.text('kind')) refuse('3', 'another kind');
    const signatures = document.objects('signatures');
    if (signatures.length > SIGNATURES_MAX) refuse('3', 'too many signatures');
    const names = signatures.map((each) => `${each.text('alg')} ${each.text('keyId')}`);
    if (new Set(names).size < names.length) refuse('3', 'two signatures of one alg and keyId');
    const halves = given.object('signer');
    const signer = { ed25519: halves.bytes('ed25519'), mldsa65: halves.bytes('mldsa65') };
    const payload = document.json('payload');
    const signed = signedBytes(document.text('kind'), payload);
    for (const alg of given.texts('algs')) signatureOf(document, alg, signer, signed);
    return { payload };
  },
};
