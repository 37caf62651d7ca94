// Vectors of signed documents (PROTOCOL 3): canonical form, signed bytes, hash and signatures of documents
// of each kind, and documents that are refused. ML-DSA signatures are random: one that was written before
// and still verifies is kept, so that the file changes only with the protocol.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  signingKeyFromSeeds,
  verifyMldsa65,
  type SigningKey,
  type SigningPublic,
} from '#agent/base/asymmetric.ts';
import { b64url, concat, fromB64url, utf8, type Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import {
  documentHash,
  signDocument,
  verifyDocument,
  type DocumentSignature,
  type SignatureAlg,
  type SignedDocument,
} from '#agent/base/signed.ts';
import { seed } from './cast.ts';
import { messages, type Message } from './messages.ts';
import type { Vector } from './vector.ts';

const SEEDS = { ed25519: seed('node a sign'), mldsa65: seed('node a sign, ML-DSA') };
const KEY = signingKeyFromSeeds(SEEDS);

/** Where the files are, from the top of the checkout. */
export const FOLDER = 'proxy/vectors';
export const DOCUMENTS = 'documents.json';

export const documentVectors = async (): Promise<Vector[]> => {
  const made = (await messages()).map(signed);
  return [
    ...VALUES.map(([name, value]) => ({
      name,
      compute: 'jcs',
      given: { value },
      expect: { jcs: jcs(value) },
    })),
    ...made.map(({ name, kind, payload, algs, document }) => ({
      name,
      compute: 'document',
      given: { kind, payload, algs, ed25519Seed: SEEDS.ed25519, mldsa65Seed: SEEDS.mldsa65 },
      expect: { signed: signedBytes(kind, payload), hash: documentHash(document), document },
    })),
    ...made.slice(0, 1).flatMap(({ kind, algs, document }) => [
      ...[
        ['signed by its signer', document] as const,
        ['with six signatures of others', withSignatures(document, OTHERS.slice(1))] as const,
        ['with members that mean nothing', annotated(document)] as const,
      ].map(([name, shown]) => ({
        name,
        compute: 'readDocument',
        given: { kind, document: shown, algs, signer: { ...KEY.public } },
        expect: { payload: verifyDocument(shown, kind, [KEY.public], algs) },
      })),
      ...refusals(kind, document, algs),
    ]),
  ];
};

/** What canonical form has to settle: order by UTF-16 units, numbers, escapes. */
const VALUES: readonly (readonly [string, Json])[] = [
  ['nothing', {}],
  ['order of members', { b: 1, a: 2, '\u{1f600}': 3, '\ufb33': 4, '': 5 }],
  ['numbers', [0, 1e21, 1e-7, 0.1, 9_007_199_254_740_991, -1.5]],
  ['escapes', ['\u0000\b\t\n\f\r"\\/\u001f\u007f\u2028é']],
];

interface Signed extends Message {
  readonly document: SignedDocument;
}

const signedBytes = (kind: string, payload: Json): Buffer =>
  concat(utf8(`tidelock/${kind}/v1\0`), jcs(payload));

function signed(unsigned: Message): Signed {
  const { kind, payload, algs } = unsigned;
  const message = signedBytes(kind, payload);
  const kept = keptSignature(message);
  const key: SigningKey = kept === undefined ? KEY : { ...KEY, mldsa65: () => Buffer.from(kept) };
  const document = signDocument(kind, payload, key, algs);
  verifyDocument(document, kind, [KEY.public], algs);
  return { ...unsigned, document };
}

/** The ML-DSA signature over `message` that the committed file has. */
function keptSignature(message: Bytes): Buffer | undefined {
  return committedSignatures().find((signature) =>
    verifyMldsa65(KEY.public.mldsa65, message, signature, 'other'),
  );
}

function committedSignatures(): Buffer[] {
  let text: string;
  try {
    text = readFileSync(join(FOLDER, DOCUMENTS), 'utf8');
  } catch {
    return []; // it is written for the first time
  }
  const { vectors } = JSON.parse(text) as { readonly vectors: readonly CommittedVector[] };
  return vectors.flatMap(({ expect }) =>
    (expect?.document?.signatures ?? [])
      .filter(({ alg }) => alg === 'ML-DSA-65')
      .map(({ sig }) => fromB64url(sig)),
  );
}

interface CommittedVector {
  readonly expect?: { readonly document?: Pick<SignedDocument, 'signatures'> };
}

/** Seven of them, nobody's. */
const OTHERS: readonly DocumentSignature[] = Array.from({ length: 7 }, (_, n) => ({
  alg: 'Ed25519',
  keyId: `other ${n}`,
  sig: '',
}));

/** With a member more, and one in each signature. */
const annotated = (document: SignedDocument): SignedDocument => {
  const more = { note: 'not signed' };
  const signatures = document.signatures.map((signature) => ({ ...signature, ...more }));
  return { ...document, ...more, signatures };
};

const withSignatures = (
  document: SignedDocument,
  more: readonly DocumentSignature[],
): SignedDocument => ({ ...document, signatures: [...document.signatures, ...more] });

function refusals(kind: string, document: SignedDocument, algs: readonly SignatureAlg[]): Vector[] {
  const other = signingKeyFromSeeds({ ed25519: seed('other'), mldsa65: seed('other') });
  const payload = { ...(document.payload as { readonly [name: string]: Json }), term: 2 };
  const [ed25519, mldsa65] = document.signatures;
  if (!ed25519 || !mldsa65) throw new Error('a record has two signatures');
  const spoilt = { ...ed25519, sig: b64url(Buffer.alloc(64)) };
  const renamed = { ...ed25519, keyId: other.keyId };
  const padded = { ...ed25519, sig: `${ed25519.sig}==` };
  const bad: readonly (readonly [string, Json, SigningPublic])[] = [
    ['a changed payload', { ...document, payload }, KEY.public],
    ['another kind', { ...document, kind: 'sealed' }, KEY.public],
    ['another version', { ...document, v: 2 }, KEY.public],
    ['no ML-DSA signature', { ...document, signatures: [ed25519] }, KEY.public],
    ['no Ed25519 signature', { ...document, signatures: [mldsa65] }, KEY.public],
    ['a wrong Ed25519 signature', { ...document, signatures: [spoilt, mldsa65] }, KEY.public],
    ['a key id of another', { ...document, signatures: [renamed, mldsa65] }, KEY.public],
    ['base64url with padding', { ...document, signatures: [padded, mldsa65] }, KEY.public],
    ['a signature twice', withSignatures(document, [ed25519]), KEY.public],
    [
      'a right signature and a wrong one by one key',
      withSignatures(document, [spoilt]),
      KEY.public,
    ],
    ['nine signatures', withSignatures(document, OTHERS), KEY.public],
    ['another signer', document, other.public],
  ];
  return bad.map(([name, shown, signer]) => {
    try {
      verifyDocument(shown, kind, [signer], algs);
    } catch (error) {
      if (!(error instanceof TidelockError)) throw error;
      return {
        name,
        compute: 'readDocument',
        given: { kind, document: shown, algs, signer: { ...signer } },
        refused: '3',
      };
    }
    throw new Error(`not refused: ${name}`);
  });
}
