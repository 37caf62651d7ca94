// Signed documents: `{v, kind, payload, signatures}` over "tidelock/" kind "/v1" 0x00 JCS(payload).
// A document is authenticated before its payload is parsed.
import {
  verifyEd25519,
  verifyMldsa65,
  signingKeyId,
  type Purpose,
  type SigningKey,
  type SigningPublic,
} from './asymmetric.ts';
import { b64url, concat, fromB64url, sha256, utf8 } from './bytes.ts';
import { TidelockError } from './errors.ts';
import { jcs, type Json } from './jcs.ts';

export type SignatureAlg = 'Ed25519' | 'ML-DSA-65';

/** Both must verify; messages that live for seconds use the Ed25519 half alone where PROTOCOL says so. */
export const BOTH: readonly SignatureAlg[] = ['Ed25519', 'ML-DSA-65'];
export const ED25519_ONLY: readonly SignatureAlg[] = ['Ed25519'];

export type DocumentSignature = {
  readonly alg: SignatureAlg;
  readonly keyId: string;
  /** base64url */
  readonly sig: string;
};

export type SignedDocument<P extends Json = Json> = {
  readonly v: 1;
  readonly kind: string;
  readonly payload: P;
  readonly signatures: readonly DocumentSignature[];
};

const MAX_SIGNATURES = 8;
/** ML-DSA-65 takes 4,412. */
const MAX_SIGNATURE_CHARS = 8192;

const signedBytes = (kind: string, payload: Json): Buffer =>
  concat(utf8(`tidelock/${kind}/v1`), Uint8Array.of(0), jcs(payload));

export function signDocument<P extends Json>(
  kind: string,
  payload: P,
  key: SigningKey,
  algs: readonly SignatureAlg[] = BOTH,
  purpose: Purpose = 'other',
): SignedDocument<P> {
  const message = signedBytes(kind, payload);
  const signatures = algs.map((alg) => ({
    alg,
    keyId: key.keyId,
    sig: b64url(alg === 'Ed25519' ? key.ed25519(message, purpose) : key.mldsa65(message, purpose)),
  }));
  return { v: 1, kind, payload, signatures };
}

/**
 * The payload of `document` if it is of this kind and one of `keys` made all of `algs`, else throws.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID.
 */
export function verifyDocument(
  document: unknown,
  kind: string,
  keys: readonly SigningPublic[],
  algs: readonly SignatureAlg[] = BOTH,
  purpose: Purpose = 'other',
): Json {
  const doc = shapeOf(document, kind);
  const message = signedMessage(doc);
  for (const key of keys) {
    const keyId = signingKeyId(key);
    const good = algs.every((alg) =>
      doc.signatures.some((s) => {
        if (s.alg !== alg || s.keyId !== keyId) return false;
        const sig = fromB64url(s.sig);
        return alg === 'Ed25519'
          ? verifyEd25519(key.ed25519, message, sig, purpose)
          : verifyMldsa65(key.mldsa65, message, sig, purpose);
      }),
    );
    if (good) return doc.payload;
  }
  throw new TidelockError('SIGNATURE_INVALID', {
    op: 'document.verify',
    message: `Cannot accept ${kind} document: not signed by ${keys.length === 1 ? 'the expected key' : `any of ${keys.length} expected keys`}`,
    hint: `Signed by ${
      [...new Set(doc.signatures.map((s) => s.keyId))].join(', ').slice(0, 120) || 'nobody'
    }. Either a byte changed after signing, or the pinned public keys are not those of the signer.`,
  });
}

/** JSON from outside may hold what has no canonical form: a lone surrogate, ever deeper nesting. */
function signedMessage({ kind, payload }: SignedDocument): Buffer {
  try {
    return signedBytes(kind, payload);
  } catch (cause) {
    throw new TidelockError('DOCUMENT_MALFORMED', {
      op: 'document.verify',
      message: `Cannot read ${kind} document: its payload has no canonical form (RFC 8785)`,
      hint: 'No program of ours writes such a document: it was made to fail. Take it from the one who signed it.',
      cause,
    });
  }
}

/** Hash of a signed document: SHA-256 of its JCS without the signatures (PROTOCOL, conventions). */
export const documentHash = (doc: SignedDocument): Buffer =>
  sha256(jcs({ v: doc.v, kind: doc.kind, payload: doc.payload }));

function shapeOf(document: unknown, kind: string): SignedDocument {
  const doc = document as Partial<SignedDocument> | null;
  const ok =
    typeof doc === 'object' &&
    doc !== null &&
    doc.v === 1 &&
    doc.kind === kind &&
    doc.payload !== undefined &&
    Array.isArray(doc.signatures) &&
    doc.signatures.length <= MAX_SIGNATURES &&
    doc.signatures.every(isSignature) &&
    areDistinct(doc.signatures);
  if (!ok) {
    throw new TidelockError('DOCUMENT_MALFORMED', {
      op: 'document.verify',
      message: `Cannot read ${kind} document: not a signed document of that kind`,
      hint: 'A signed document is {"v":1,"kind","payload","signatures":[{"alg","keyId","sig"}]}; check that the right file was given and is complete.',
    });
  }
  return doc as SignedDocument;
}

function isSignature(value: unknown): value is DocumentSignature {
  const { alg, keyId, sig } = (value ?? {}) as Partial<DocumentSignature>;
  return (
    typeof alg === 'string' &&
    typeof keyId === 'string' &&
    typeof sig === 'string' &&
    sig.length <= MAX_SIGNATURE_CHARS &&
    b64url(fromB64url(sig)) === sig
  );
}

/** Of two by one key and algorithm, readers could judge different ones. */
const areDistinct = (signatures: readonly DocumentSignature[]): boolean =>
  new Set(signatures.map(({ alg, keyId }) => `${alg} ${keyId}`)).size === signatures.length;
