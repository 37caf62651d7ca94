// The CHIPS registry (PROTOCOL 4): numbered, append-only. An entry fixes how an epoch step derives a
// chain and which AEAD lanes under that chain use. An id is never reused and never changes meaning.
//
// How (ikm, salt, info, len) enters each function, `field` being a 2-byte length and the bytes:
//   HKDF-H         RFC 5869: Extract(salt, ikm), then Expand(info, len)
//   BLAKE3         derive-key mode, context CONTEXT, material field(ikm) || field(salt) || field(info)
//   KMAC256        SP 800-185: key ikm, data field(salt) || field(info), customisation CONTEXT
//   cSHAKE256      SP 800-185: data field(ikm) || field(salt) || field(info), N empty, S = CONTEXT
//   TurboSHAKE256  RFC 9861: field(CONTEXT) || field(ikm) || field(salt) || field(info), D = 0x1f
import { Buffer } from 'node:buffer';
import { hkdfSync } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import { cshake256, kmac256, turboshake256 } from '@noble/hashes/sha3-addons.js';
import { concat, field, utf8, type Bytes } from '#agent/base/bytes.ts';

/** The AEADs of lanes; the number is `suite` in the lane header (PROTOCOL 6). */
export const AEADS = {
  'AES-256-GCM': 1,
  'ChaCha20-Poly1305': 2,
  'AES-256-GCM-SIV': 3,
} as const;
export type AeadName = keyof typeof AEADS;

/** `len` bytes (default 32, at most 64) from a secret, a public salt and a public context. */
export type Derive = (ikm: Bytes, salt: Bytes, info: Bytes, len?: number) => Buffer;

export interface ChipsAlgorithm {
  readonly id: number;
  /** `<derivation>/<AEAD>`. */
  readonly name: string;
  readonly derive: Derive;
  readonly aead: AeadName;
}

/** Domain separation from every other use of these functions. */
const CONTEXT = 'tidelock chips 2026 epoch step v1';
const context = utf8(CONTEXT);

const DERIVATIONS: readonly (readonly [name: string, derive: Derive])[] = [
  ['HKDF-SHA-256', hkdf('sha256')],
  ['HKDF-SHA-512', hkdf('sha512')],
  ['HKDF-SHA3-256', hkdf('sha3-256')],
  ['HKDF-BLAKE2b-512', hkdf('blake2b512')],
  [
    'BLAKE3',
    (ikm, salt, info, dkLen = 32) =>
      view(blake3(fields(ikm, salt, info), { context: context.slice(), dkLen })),
  ],
  [
    'KMAC256',
    (ikm, salt, info, dkLen = 32) =>
      view(kmac256(ikm, fields(salt, info), { personalization: context, dkLen })),
  ],
  [
    'cSHAKE256',
    (ikm, salt, info, dkLen = 32) =>
      view(cshake256(fields(ikm, salt, info), { personalization: context, dkLen })),
  ],
  [
    'TurboSHAKE256',
    (ikm, salt, info, dkLen = 32) =>
      view(turboshake256(fields(context, ikm, salt, info), { D: 0x1f, dkLen })),
  ],
];

/** Ids are `base + position`; 16 numbers are kept free in each block for derivations to come. */
const BLOCKS: readonly (readonly [base: number, aead: AeadName])[] = [
  [1, 'AES-256-GCM'],
  [17, 'ChaCha20-Poly1305'],
  [33, 'AES-256-GCM-SIV'],
];

/** Every known algorithm, by ascending id. */
export const CHIPS: readonly ChipsAlgorithm[] = BLOCKS.flatMap(([base, aead]) =>
  DERIVATIONS.map(([name, derive], at) => ({
    id: base + at,
    name: `${name}/${aead}`,
    derive,
    aead,
  })),
);

/**
 * Ids that an owners' policy makes mandatory unless it says otherwise. AES-256-GCM-SIV is left out:
 * OpenSSL takes a whole frame at once and is ten times slower at it.
 */
export const DEFAULT_MANDATORY: readonly number[] = CHIPS.filter(
  (algorithm) => algorithm.aead !== 'AES-256-GCM-SIV',
).map((algorithm) => algorithm.id);

const BY_ID = new Map(CHIPS.map((algorithm) => [algorithm.id, algorithm]));

/** The algorithm of this id, or undefined: an unknown id is refused by whoever reads a record. */
export const chipsAlgorithm = (id: number): ChipsAlgorithm | undefined => BY_ID.get(id);

function hkdf(digest: string): Derive {
  return (ikm, salt, info, len = 32) => Buffer.from(hkdfSync(digest, ikm, salt, info, len));
}

const fields = (...values: readonly Bytes[]): Buffer => concat(...values.map((v) => field(v)));
const view = (b: Bytes): Buffer => Buffer.from(b.buffer, b.byteOffset, b.length);
