// Both halves of opening a lane (PROTOCOL 6) as bytes: what the client seals, how the server tells an
// opening from noise, cheapest first, and the reply. Touches no socket and no replay set.
import { Buffer } from 'node:buffer';
import { truncate, wipe, type Bytes } from '#agent/base/bytes.ts';
import { AEADS } from '#proxy/chips/registry.ts';
import { TAG_BYTES } from '#proxy/see/aead.ts';
import {
  earlySecret,
  frameKeys,
  laneSecret,
  trafficSecret,
  transcriptOf,
} from '#proxy/see/keys.ts';
import { FrameOpener } from '#proxy/see/opener.ts';
import {
  KID_BYTES,
  MODE,
  PREFIX_BYTES,
  REPLY_BYTES,
  SALT_BYTES,
  decodeBlock,
  decodeReply,
  encodeBlock,
  encodeHeader,
  encodeReply,
  openHeader,
  sealHeader,
  srcRefOf,
  type LaneHeader,
  type Mode,
  type OpenBlock,
  type Reply,
} from '#proxy/see/opening.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import type { KeyRing, Sending } from './keyRing.ts';
import type { KidEntry } from './kidTable.ts';
import type { Start } from './laneKeys.ts';
import type { PeerEnd } from './routes.ts';

/** A client's lane between its opening and the reply. */
export interface Opening {
  readonly start: Start & { readonly pair: Bytes };
  /** The first bytes on the wire; frames may follow at once. */
  readonly bytes: Buffer;
  /** `c2s early`, and what it seals with. */
  readonly secret: Buffer;
  readonly sealer: FrameSealer;
  /** `LS`: to be wiped when the lane is open or given up. */
  readonly ls: Buffer;
  readonly transcript: Buffer;
}

/** Seals the opening of a lane; `salt` 16 random bytes. */
export function sealOpening(
  sending: Sending,
  block: OpenBlock,
  salt: Bytes,
  mode: Mode = MODE.tunnel,
): Opening {
  const { chain, own, kid } = sending;
  const plain = encodeBlock(block);
  const header = encodeHeader({
    suite: AEADS[chain.aead],
    mode,
    srcRef: srcRefOf(own.sid),
    openLen: plain.length + TAG_BYTES,
  });
  const prefix = Buffer.concat([kid, salt, sealHeader(sending.headerKey, kid, salt, header)]);
  const transcript = transcriptOf(kid, salt, header, sending.context);
  const ls = Buffer.from(sending.ls); // the lane's own: overwritten as soon as it has its secrets
  const secret = earlySecret(ls, transcript);
  const sealer = new FrameSealer(chain.aead, frameKeys(secret));
  const bytes = Buffer.concat([prefix, sealer.message(prefix, plain)]);
  // The lane outlives the slot and the snapshot that `sending` is valid for.
  const start = {
    chain,
    slot: sending.slot,
    own,
    peer: sending.peer,
    pair: Buffer.from(sending.pair),
  };
  return { start, bytes, secret, sealer, ls, transcript };
}

/** What a right reply gives a client. */
export interface Replied {
  readonly reply: Reply;
  /** Replaces the early secret by KEYUPDATE kind 0. */
  readonly c2s: Buffer;
  readonly s2c: Buffer;
  /** Has opened the reply under `s2c`; frames follow. */
  readonly opener: FrameOpener;
}

/** Opens the server's first REPLY_BYTES bytes and wipes `LS`; undefined: not the peer's reply. */
export function openReply({ start, ls, transcript }: Opening, bytes: Bytes): Replied | undefined {
  const replySalt = bytes.subarray(0, SALT_BYTES);
  const s2c = trafficSecret(ls, 's2c', transcript, replySalt);
  const c2s = trafficSecret(ls, 'c2s', transcript, replySalt);
  wipe(ls);
  const opener = new FrameOpener(start.chain.aead, frameKeys(s2c));
  const plain = opener.message(replySalt, bytes.subarray(SALT_BYTES, REPLY_BYTES));
  const reply = plain && decodeReply(plain);
  if (reply) return { reply, c2s, s2c, opener };
  opener.close();
  wipe(s2c, c2s);
  return undefined;
}

/** A server's lane whose open block was right: authenticated, not yet known to be fresh. */
export interface Opened {
  readonly start: Start & { readonly pair: Bytes };
  readonly peer: PeerEnd;
  readonly kid: Buffer;
  readonly salt: Buffer;
  readonly header: LaneHeader;
  readonly block: OpenBlock;
  /** `c2s early`; the opener has opened the block under it, frames follow. */
  readonly secret: Buffer;
  readonly opener: FrameOpener;
  readonly ls: Buffer;
  readonly transcript: Buffer;
  /** How many bytes the opening took. */
  readonly length: number;
}

/** What the first bytes of a connection are. */
export type Attempt =
  /** Not yet enough of them to tell. */
  | { readonly kind: 'incomplete' }
  /** Nothing that this node can open. `stage` is where it failed, for operators alone. */
  | { readonly kind: 'noise'; readonly stage: 'kid' | 'header' | 'source' | 'block' | 'time' }
  | { readonly kind: 'opened'; readonly opened: Opened };

/**
 * True when what is missing may be on its way: the sender knows of a chain, slot or statement that this
 * worker has not been told of yet. Worth another try after the next snapshot or slot.
 */
export const isPerhapsEarly = (attempt: Attempt): boolean =>
  attempt.kind === 'noise' && (attempt.stage === 'kid' || attempt.stage === 'source');

const noise = (stage: 'kid' | 'header' | 'source' | 'block' | 'time'): Attempt => ({
  kind: 'noise',
  stage,
});

/** Tries the stages of PROTOCOL 6 up to the sent time. `sources` finds statements by srcRef. */
export function tryOpening(
  ring: KeyRing,
  sources: (srcRef: string) => readonly PeerEnd[],
  bytes: Buffer,
): Attempt {
  if (bytes.length < KID_BYTES) return { kind: 'incomplete' };
  const entry = ring.kid(bytes.subarray(0, KID_BYTES));
  if (!entry) return noise('kid');
  if (bytes.length < PREFIX_BYTES) return { kind: 'incomplete' };
  const prefix = bytes.subarray(0, PREFIX_BYTES);
  const outer = openHeader(entry.headerKey(), prefix);
  if (!outer || outer.header.suite !== AEADS[entry.chain.aead]) return noise('header');
  const { sid } = entry.own;
  const peers = sources(outer.header.srcRef).filter(({ statement }) =>
    ring.pair(sid, statement.sid),
  );
  if (peers.length === 0) return noise('source');
  const length = PREFIX_BYTES + outer.header.openLen;
  if (bytes.length < length) return { kind: 'incomplete' };
  const sealed = bytes.subarray(PREFIX_BYTES, length);
  for (const peer of peers) {
    const opened = openFrom(ring, entry, peer, { prefix, sealed, ...outer, length });
    if (opened)
      return isTimely(entry, opened.block.sentMs) ? { kind: 'opened', opened } : refuse(opened);
  }
  return noise('block');
}

function refuse(opened: Opened): Attempt {
  abandon(opened);
  return noise('time');
}

/** Overwrites what an opening that leads to no lane has derived. */
export function abandon({
  secret,
  opener,
  ls,
  start,
}: Pick<Opened, 'secret' | 'opener' | 'ls' | 'start'>): void {
  opener.close();
  wipe(secret, ls, start.pair);
}

function openFrom(
  ring: KeyRing,
  { chain, slot, own }: KidEntry,
  peer: PeerEnd,
  parts: {
    readonly prefix: Buffer;
    readonly sealed: Buffer;
    readonly header: LaneHeader;
    readonly plain: Buffer;
    readonly length: number;
  },
): Opened | undefined {
  const source = { node: peer.peer.node, sid: peer.statement.sid };
  const pair = ring.pair(own.sid, source.sid);
  const key = chain.window.keyAt(slot);
  if (!pair || !key) return undefined;
  const { prefix, header, length } = parts;
  const kid = Buffer.from(truncate(KID_BYTES, prefix));
  const salt = Buffer.from(prefix.subarray(KID_BYTES, KID_BYTES + SALT_BYTES));
  const transcript = transcriptOf(kid, salt, parts.plain, ring.context(source, own));
  const ls = laneSecret(key, pair);
  const secret = earlySecret(ls, transcript);
  const opener = new FrameOpener(chain.aead, frameKeys(secret));
  const plain = opener.message(prefix, parts.sealed);
  const block = plain && decodeBlock(plain);
  const start = { chain, slot, own, peer: source, pair: Buffer.from(pair) };
  if (block) {
    return { start, peer, kid, salt, header, block, secret, opener, ls, transcript, length };
  }
  abandon({ secret, opener, ls, start });
  return undefined;
}

/** Within the slot of the kid, plus or minus a period (PROTOCOL 6). */
function isTimely({ chain: { periodMs }, slot }: KidEntry, sentMs: number): boolean {
  return sentMs >= (slot - 1) * periodMs && sentMs < (slot + 2) * periodMs;
}

/** What a reply gives the server. */
export interface Replying {
  readonly bytes: Buffer;
  /** Replaces the client's early secret at its KEYUPDATE kind 0. */
  readonly c2s: Buffer;
  readonly s2c: Buffer;
  /** Has sealed the reply under `s2c`; frames may follow. */
  readonly sealer: FrameSealer;
}

/** Seals the reply and wipes `LS`; `replySalt` 16 random bytes. */
export function sealReply(
  { start, ls, transcript }: Opened,
  reply: Reply,
  replySalt: Bytes,
): Replying {
  const s2c = trafficSecret(ls, 's2c', transcript, replySalt);
  const c2s = trafficSecret(ls, 'c2s', transcript, replySalt);
  wipe(ls);
  const sealer = new FrameSealer(start.chain.aead, frameKeys(s2c));
  const bytes = Buffer.concat([replySalt, sealer.message(replySalt, encodeReply(reply))]);
  return { bytes, c2s, s2c, sealer };
}
