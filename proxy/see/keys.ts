// Keys of one lane (PROTOCOL 5 and 7): lane secret, transcript, traffic secrets, and what an AEAD and
// the length mask take from a traffic secret. With chips/chain.ts the only place that derives keys.
//
// Under a lane secret the three labels give messages of different length (41, 51 and 51 bytes, the
// last two differing at their third byte), under a traffic secret only RFC 8446 labels are expanded,
// and an update uses it as HKDF input, not as HMAC key: no derivation can stand for another.
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { concat, field, truncate, u16, utf8, type Bytes } from '#agent/base/bytes.ts';
import { LABEL, endpoint } from '#proxy/chips/chain.ts';
import { expand, extract } from '#proxy/chips/hkdf.ts';
import { sha256Of } from '#proxy/native/sha256.ts';

const TRANSCRIPT = utf8('tidelock/lane/v1');

/** Which direction and phase a traffic secret is for. */
const TRAFFIC = { early: utf8('c2s early'), c2s: utf8('c2s'), s2c: utf8('s2c') } as const;

/** One end of a lane: the statement it uses. */
export interface LaneEnd {
  readonly node: NodeName;
  readonly sid: Sid;
}

/** The constant tail of every transcript between two ends; worth keeping per pair. */
export const laneContext = (
  domain: string,
  cluster: string,
  source: LaneEnd,
  destination: LaneEnd,
): Buffer =>
  concat(
    field(domain),
    field(cluster),
    endpoint(source.node, source.sid),
    endpoint(destination.node, destination.sid),
  );

/** `transcript` of PROTOCOL 5, 32 bytes: kid 8, salt 16, header 14, then laneContext(). */
export const transcriptOf = (kid: Bytes, salt: Bytes, header: Bytes, context: Bytes): Buffer =>
  sha256Of(TRANSCRIPT, kid, salt, header, context);

/** `LS` of PROTOCOL 5, 32 bytes: `chain(c, t)` and `pair(a, b)`. The caller wipes it. */
export const laneSecret = (chain: Bytes, pair: Bytes): Buffer => extract(chain, LABEL.lane, pair);

/** Traffic secret of the first flight, 32 bytes. */
export const earlySecret = (ls: Bytes, transcript: Bytes): Buffer =>
  expand(ls, TRAFFIC.early, transcript);

/** Traffic secret of one direction after the reply, 32 bytes; `replySalt` 16 bytes. */
export const trafficSecret = (
  ls: Bytes,
  direction: 'c2s' | 's2c',
  transcript: Bytes,
  replySalt: Bytes,
): Buffer => expand(ls, TRAFFIC[direction], transcript, replySalt);

/**
 * The secret after a KEYUPDATE of kind 1, 32 bytes: `updateKey` is ChainWindow.updateKey of the chain
 * and slot it names, `pair` that of the statements it names.
 */
export const nextSecret = (updateKey: Bytes, current: Bytes, pair: Bytes): Buffer =>
  extract(updateKey, current, pair);

/** What frames under one traffic secret are sealed with. */
export interface FrameKeys {
  /** 32 bytes, for each AEAD of the registry. */
  readonly key: Buffer;
  /** 12 bytes. */
  readonly iv: Buffer;
  /** AES-256 key of the length mask, 32 bytes. */
  readonly hp: Buffer;
}

/** HkdfLabel of RFC 8446 7.1 with "tidelock " in place of "tls13 " and an empty context. */
const hkdfLabel = (label: string, length: number): Buffer => {
  const full = utf8(`tidelock ${label}`);
  return concat(u16(length), Uint8Array.of(full.length), full, Uint8Array.of(0));
};
const KEY = hkdfLabel('key', 32);
const IV = hkdfLabel('iv', 12);
const HP = hkdfLabel('hp', 32);

/** Key, IV and mask key of a traffic secret (RFC 8446 7.3; `hp` as in RFC 9001 5.1). */
export const frameKeys = (secret: Bytes): FrameKeys => ({
  key: expand(secret, KEY),
  iv: truncate(12, expand(secret, IV)),
  hp: expand(secret, HP),
});
