// PROTOCOL 5, the AEADs of 4.4 and the next secret of 7.3: transcript, traffic secrets, keys of frames,
// nonces. It keeps no counter.
import { gcm, gcmsiv } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { field, hex, join, uint, xor } from './bytes.ts';
import { hkdfExpand } from './chains.ts';
import { refuse } from './refused.ts';
import { end, endOf, type End } from './statements.ts';
import type { Rows } from './vectors.ts';

/** What both ends of a lane name alike. */
export interface Lane {
  readonly domain: string;
  readonly cluster: string;
  readonly source: End;
  readonly receiver: End;
}

/** `transcript`, 32 bytes. */
export const transcriptOf = (
  lane: Lane,
  kid: Uint8Array,
  salt: Uint8Array,
  header: Uint8Array,
): Uint8Array =>
  sha256(
    join(
      'tidelock/lane/v1',
      kid,
      salt,
      header,
      field(lane.domain),
      field(lane.cluster),
      end(lane.source),
      end(lane.receiver),
    ),
  );

/** `c2s early`, 32 bytes. */
export const earlyOf = (ls: Uint8Array, transcript: Uint8Array): Uint8Array =>
  hkdfExpand(ls, join('c2s early', transcript), 32);

/** `c2s`, 32 bytes. */
export const c2sOf = (ls: Uint8Array, transcript: Uint8Array, replySalt: Uint8Array): Uint8Array =>
  hkdfExpand(ls, join('c2s', transcript, replySalt), 32);

/** `s2c`, 32 bytes. */
export const s2cOf = (ls: Uint8Array, transcript: Uint8Array, replySalt: Uint8Array): Uint8Array =>
  hkdfExpand(ls, join('s2c', transcript, replySalt), 32);

/** `next` of 7.3, 32 bytes. */
export const nextSecretOf = (
  update: Uint8Array,
  current: Uint8Array,
  pair: Uint8Array,
): Uint8Array => extract(sha256, join(current, pair), update);

/** Expand-Label with an empty context. */
function expandLabel(secret: Uint8Array, label: string, lenBytes: number): Uint8Array {
  const full = `tidelock ${label}`;
  const info = join(uint(2, lenBytes), uint(1, full.length), full, Uint8Array.of(0));
  return hkdfExpand(secret, info, lenBytes);
}

/** The keys that a traffic secret gives: 32, 12 and 32 bytes. */
export interface FrameKeys {
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
  readonly hp: Uint8Array;
}

/** The keys of a traffic secret. */
export const frameKeysOf = (secret: Uint8Array): FrameKeys => ({
  key: expandLabel(secret, 'key', 32),
  iv: expandLabel(secret, 'iv', 12),
  hp: expandLabel(secret, 'hp', 32),
});

/** The nonce of a counter. */
export const nonceOf = (iv: Uint8Array, counter: number): Uint8Array => xor(iv, uint(12, counter));

const AEADS = [gcm, chacha20poly1305, gcmsiv] as const;

/** An AEAD under a key, a nonce and additional data; decrypt throws at what is not authentic. */
export interface Aead {
  encrypt(plain: Uint8Array): Uint8Array;
  decrypt(sealed: Uint8Array): Uint8Array;
}

/** The AEAD of a suite, under a key, a nonce and additional data. */
export function aeadOf(suite: number, key: Uint8Array, nonce: Uint8Array, aad: Uint8Array): Aead {
  const aead = AEADS[suite - 1] ?? refuse('4.4', 'an unknown suite');
  return aead(key, nonce, aad);
}

/** The plaintext of `sealed`; what does not open is refused under `section`. */
export function opened(section: string, aead: Aead, sealed: Uint8Array): Uint8Array {
  try {
    return aead.decrypt(sealed);
  } catch {
    return refuse(section, 'it does not open');
  }
}

/** The rows of section 5, of the AEADs and of the next secret. */
export const secretRows: Rows = {
  transcript: (given) => {
    const lane = {
      domain: given.text('domain'),
      cluster: given.text('cluster'),
      source: endOf(given.object('source')),
      receiver: endOf(given.object('receiver')),
    };
    const header = given.bytes('header');
    const transcript = transcriptOf(lane, given.bytes('kid'), given.bytes('salt'), header);
    return { transcript: hex(transcript) };
  },
  trafficSecrets: (given) => {
    const ls = given.bytes('ls');
    const transcript = given.bytes('transcript');
    const replySalt = given.bytes('replySalt');
    return {
      early: hex(earlyOf(ls, transcript)),
      c2s: hex(c2sOf(ls, transcript, replySalt)),
      s2c: hex(s2cOf(ls, transcript, replySalt)),
    };
  },
  frameKeys: (given) => {
    const { key, iv, hp } = frameKeysOf(given.bytes('secret'));
    return { key: hex(key), iv: hex(iv), hp: hex(hp) };
  },
  nonce: (given) => ({ nonce: hex(nonceOf(given.bytes('iv'), given.number('counter'))) }),
  aead: (given) => {
    const suite = given.number('suite');
    const aead = aeadOf(suite, given.bytes('key'), given.bytes('nonce'), given.bytes('aad'));
    return { sealed: hex(aead.encrypt(given.bytes('plain'))) };
  },
  nextSecret: (given) => ({
    next: hex(nextSecretOf(given.bytes('update'), given.bytes('current'), given.bytes('pair'))),
  }),
};
