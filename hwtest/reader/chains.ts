// PROTOCOL 4.2 to 4.4: the keys of a chain in a slot, the epoch step and the registry of algorithms.
import { blake2b } from '@noble/hashes/blake2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { expand, hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256 } from '@noble/hashes/sha3.js';
import { cshake256, kmac256, turboshake256 } from '@noble/hashes/sha3-addons.js';
import { field, hex, join, text, truncate, uint } from './bytes.ts';
import { refuse } from './refused.ts';
import { end, endOf, type End } from './statements.ts';
import type { Rows } from './vectors.ts';

/** `Expand(secret, info, lenBytes)` of HKDF-SHA-256. */
export const hkdfExpand = (secret: Uint8Array, info: Uint8Array, lenBytes: number): Uint8Array =>
  expand(sha256, secret, info, lenBytes);

/** `kid`, 8 bytes. */
export const kidOf = (chain: Uint8Array, receiver: End): Uint8Array =>
  truncate(8, hmac(sha256, chain, join('kid', end(receiver))));

/** `headerKey`, 32 bytes. */
export const headerKeyOf = (chain: Uint8Array, receiver: End): Uint8Array =>
  hkdfExpand(chain, join('header', end(receiver)), 32);

/** `LS`, 32 bytes. */
export const laneSecretOf = (chain: Uint8Array, pair: Uint8Array): Uint8Array =>
  hmac(sha256, chain, join('lane', pair));

/** The chain in the slot behind `slot`. */
export const tick = (chain: Uint8Array, slot: number): Uint8Array =>
  hkdfExpand(chain, join('tidelock/tick/v1', uint(8, slot + 1)), 32);

/** `update`, 32 bytes. */
export const updateOf = (chain: Uint8Array): Uint8Array => hkdfExpand(chain, text('update'), 32);

const C = 'tidelock chips 2026 epoch step v1';

type Derive = (ikm: Uint8Array, salt: Uint8Array, info: Uint8Array) => Uint8Array;

/** The column `derive` of the registry, by n. */
const DERIVE: readonly Derive[] = [
  (ikm, salt, info) => hkdf(sha256, ikm, salt, info, 32),
  (ikm, salt, info) => hkdf(sha512, ikm, salt, info, 32),
  (ikm, salt, info) => hkdf(sha3_256, ikm, salt, info, 32),
  (ikm, salt, info) => hkdf(blake2b, ikm, salt, info, 32),
  (ikm, salt, info) => blake3(join(field(ikm), field(salt), field(info)), { context: text(C) }),
  (ikm, salt, info) =>
    kmac256(ikm, join(field(salt), field(info)), { personalization: text(C), dkLen: 32 }),
  (ikm, salt, info) =>
    cshake256(join(field(ikm), field(salt), field(info)), { personalization: text(C), dkLen: 32 }),
  (ikm, salt, info) =>
    turboshake256(join(field(C), field(ikm), field(salt), field(info)), { D: 0x1f, dkLen: 32 }),
];

/** The bases of the registry, in the order of their suites. */
const BASES: readonly number[] = [1, 17, 33];

/** The derivation and the suite of an algorithm; an id that is not listed is refused. */
export function algorithmOf(id: number): { readonly derive: Derive; readonly suite: number } {
  const suite = BASES.findLastIndex((base) => id >= base) + 1;
  const derive = DERIVE[id - (BASES[suite - 1] ?? id)];
  return derive === undefined || suite === 0 ? refuse('4.4', 'an unknown id') : { derive, suite };
}

/** The rows of sections 4.2 to 4.4, but for the AEADs. */
export const chainRows: Rows = {
  tick: (given) => ({ next: hex(tick(given.bytes('chain'), given.number('slot'))) }),
  kid: (given) => ({ kid: hex(kidOf(given.bytes('chain'), endOf(given))) }),
  headerKey: (given) => ({ headerKey: hex(headerKeyOf(given.bytes('chain'), endOf(given))) }),
  check: (given) => {
    const expanded = hkdfExpand(given.bytes('chain'), join('check', end(endOf(given))), 32);
    return { check: hex(truncate(8, expanded)) };
  },
  port: (given) => {
    const info = join('port', end(endOf(given)), uint(4, given.number('hop')));
    const draw = hkdfExpand(given.bytes('chain'), info, 32);
    return { draw: Number(`0x${hex(truncate(4, draw))}`) };
  },
  update: (given) => ({ update: hex(updateOf(given.bytes('chain'))) }),
  laneSecret: (given) => ({ ls: hex(laneSecretOf(given.bytes('chain'), given.bytes('pair'))) }),
  epochStep: (given) => {
    const { derive } = algorithmOf(given.number('algorithm'));
    const chain = derive(given.bytes('parent'), given.bytes('beacon'), given.bytes('recordHash'));
    return { chain: hex(chain) };
  },
  chainId: (given) => {
    const hashed = sha256(join('tidelock/chain', given.bytes('recordHash')));
    return { chainId: hex(truncate(16, hashed)) };
  },
  rootCommit: (given) => ({
    rootCommit: hex(sha256(join('tidelock/commit/v1', given.bytes('root')))),
  }),
};
