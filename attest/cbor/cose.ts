// COSE_Sign1 (RFC 9052 4.2): its parts, and the bytes that its signature is over. Which algorithm and
// whose key it must be is for the reader of each kind of message to say.
import { concat, u16, u32, utf8, type Bytes } from '#agent/base/bytes.ts';
import type { JwaName } from '#agent/base/jwa.ts';
import { malformed } from '#attest/cursor.ts';
import { CborTag, decodeCbor, type CborMap, type CborValue } from './decode.ts';

/** CBOR tag of COSE_Sign1; a message may also come without. */
const SIGN1_TAG = 18;
/** COSE header parameters (RFC 9052 3.1). */
const ALG = 1;
const CRIT = 2;

export interface CoseSign1 {
  /** COSE algorithm of the protected header, -35 being ES384; undefined where it names none. */
  readonly alg: number | string | undefined;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** `Sig_structure` with no external data (RFC 9052 4.4): what was signed. */
  readonly toBeSigned: Buffer;
}

/** The message that `bytes` are; `what` names it in errors. Errors: EVIDENCE_MALFORMED. */
export const parseSign1 = (bytes: Bytes, what: string): CoseSign1 =>
  sign1Of(decodeCbor(bytes, what), what);

/** The message that a decoded item is, with its tag or without. Errors: EVIDENCE_MALFORMED. */
export function sign1Of(read: CborValue, what: string): CoseSign1 {
  const message = read instanceof CborTag && read.tag === SIGN1_TAG ? read.value : read;
  if (!Array.isArray(message) || message.length !== 4) throw malformed(what, 'no COSE_Sign1');
  const [header, unprotected, payload, signature] = message as readonly CborValue[];
  if (!Buffer.isBuffer(header) || !Buffer.isBuffer(payload) || !Buffer.isBuffer(signature)) {
    throw malformed(what, 'header, payload and signature of a COSE_Sign1 are byte strings');
  }
  if (!(unprotected instanceof Map)) throw malformed(what, 'its unprotected header is no map');
  const parameters = headerOf(header, what);
  if (parameters.has(CRIT))
    throw malformed(what, 'it has critical headers, of which none is known');
  const alg = parameters.get(ALG);
  return {
    alg: typeof alg === 'number' || typeof alg === 'string' ? alg : undefined,
    payload,
    signature,
    toBeSigned: sigStructure(header, payload),
  };
}

/** COSE algorithms of one signature (RFC 9053 2, RFC 8812 2, RFC 9864 2, draft-ietf-cose-dilithium). */
const ALGORITHMS: Readonly<Record<number, JwaName>> = {
  [-7]: 'ES256',
  [-8]: 'EdDSA',
  [-19]: 'Ed25519',
  [-35]: 'ES384',
  [-36]: 'ES512',
  [-37]: 'PS256',
  [-38]: 'PS384',
  [-39]: 'PS512',
  [-49]: 'ML-DSA-65',
  [-257]: 'RS256',
  [-258]: 'RS384',
  [-259]: 'RS512',
};

/** The name in JOSE of a COSE algorithm; undefined for one that is not accepted. */
export const coseJwa = (alg: CoseSign1['alg']): JwaName | undefined =>
  typeof alg === 'number' ? ALGORITHMS[alg] : undefined;

/** An empty header may be an empty string (RFC 9052 3). */
function headerOf(header: Buffer, what: string): CborMap {
  const map = header.length === 0 ? new Map() : decodeCbor(header, `protected header of ${what}`);
  if (map instanceof Map) return map as CborMap;
  throw malformed(what, 'its protected header is no map');
}

const SIGNATURE1 = utf8('Signature1');

/** `["Signature1", protected, h'', payload]`, deterministically encoded. */
const sigStructure = (header: Bytes, payload: Bytes): Buffer =>
  concat(
    Uint8Array.of(0x84, 0x60 + SIGNATURE1.length),
    SIGNATURE1,
    byteString(header),
    byteString(new Uint8Array()),
    byteString(payload),
  );

function byteString(bytes: Bytes): Buffer {
  const { length } = bytes;
  if (length < 24) return concat(Uint8Array.of(0x40 + length), bytes);
  if (length <= 0xff) return concat(Uint8Array.of(0x58, length), bytes);
  if (length <= 0xffff) return concat(Uint8Array.of(0x59), u16(length), bytes);
  return concat(Uint8Array.of(0x5a), u32(length), bytes);
}
