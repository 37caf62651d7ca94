// MAID, a workload's machine alias (PROTOCOL 9): the token of one slot and the node's endorsement of
// the key that signs it. A fixed binary layout has one form for one content, which JSON would need
// rules for. Signs and verifies only through what it is given.
import { Buffer } from 'node:buffer';
import {
  isNodeName,
  isSpiffeId,
  type NodeName,
  type Sid,
  type Slot,
  type SpiffeId,
} from '#agent/base/brands.ts';
import { concat, field, fromHex, hex, truncate, u64, utf8, type Bytes } from '#agent/base/bytes.ts';
import { hmac } from '#proxy/chips/hkdf.ts';

const VERSION = 1;
const TOKEN_CONTEXT = utf8('tidelock/maid/v1\0');
const ENDORSEMENT_CONTEXT = utf8('tidelock/endorsement/v1\0');
const SIGNATURE_BYTES = 64;
const KEY_BYTES = 32;
/** Both together stay below half an open block. */
const MAX_TEXT = { spiffeId: 512, podUid: 128, imageDigest: 128, node: 253 } as const;

export interface MaidToken {
  readonly slot: Slot;
  /** `T(16, HMAC(aliasSecret, slot))`, 16 bytes. */
  readonly alias: Bytes;
  readonly sid: Sid;
  readonly node: NodeName;
  readonly spiffeId: SpiffeId;
  readonly podUid: string;
  /** `sha256:<hex>` of the pod's image, or empty where the inventory has none. */
  readonly imageDigest: string;
  /** SHA-256 of the node's evidence, 32 bytes. */
  readonly evidenceDigest: Bytes;
  /** SHA-256 of the token before, 32 bytes; zero for the first. */
  readonly prev: Bytes;
  /** RFC 6962 root of the lane receipts since then, 32 bytes; zero where none are kept. */
  readonly history: Bytes;
}

export interface Endorsement {
  /** Ed25519 public key of the workload, 32 bytes. */
  readonly workloadKey: Bytes;
  readonly sid: Sid;
  readonly spiffeId: SpiffeId;
  readonly podUid: string;
}

/** Signs by Ed25519: the workload key for tokens, the node's `sign` for endorsements. */
export type Sign = (message: Bytes) => Bytes;

/** Alias of a workload in a slot, 16 bytes; `aliasSecret` 32 bytes, which never leaves the agent. */
export const aliasOf = (aliasSecret: Bytes, slot: Slot): Buffer =>
  truncate(16, hmac(aliasSecret, u64(slot)));

/** The encoded token and its signature. Errors: RangeError on a text over its limit. */
export function signToken(token: MaidToken, sign: Sign): Buffer {
  const body = concat(
    Uint8Array.of(VERSION),
    u64(token.slot),
    token.alias,
    fromHex(token.sid),
    token.evidenceDigest,
    token.prev,
    token.history,
    text('node', token.node),
    text('spiffeId', token.spiffeId),
    text('podUid', token.podUid),
    text('imageDigest', token.imageDigest),
  );
  return concat(body, sign(concat(TOKEN_CONTEXT, body)));
}

/** The encoded endorsement and its signature. Errors: RangeError on a text over its limit. */
export function signEndorsement(endorsement: Endorsement, sign: Sign): Buffer {
  const body = concat(
    Uint8Array.of(VERSION),
    endorsement.workloadKey,
    fromHex(endorsement.sid),
    text('spiffeId', endorsement.spiffeId),
    text('podUid', endorsement.podUid),
  );
  return concat(body, sign(concat(ENDORSEMENT_CONTEXT, body)));
}

/** One Ed25519 verification that a MAID stands on. */
export interface SignatureCheck {
  readonly key: Bytes;
  readonly message: Bytes;
  readonly signature: Bytes;
}

/** A token as read, with what must still verify before it is believed. */
export interface ReadMaid {
  readonly token: MaidToken;
  /** The endorsement under the node's key, then the token under the endorsed key. */
  readonly checks: readonly [endorsement: SignatureCheck, token: SignatureCheck];
}

/**
 * Reads a token and its endorsement, `nodeKey` being the Ed25519 half of the statement they claim.
 * Undefined when either is malformed or they do not speak of the same workload and statement.
 */
export function readMaid(token: Bytes, endorsement: Bytes, nodeKey: Bytes): ReadMaid | undefined {
  const signedToken = split(token);
  const signedEndorsement = split(endorsement);
  const maid = signedToken && decodeToken(signedToken.body);
  const endorsed = signedEndorsement && decodeEndorsement(signedEndorsement.body);
  if (!maid || !endorsed) return undefined;
  const same =
    maid.sid === endorsed.sid &&
    maid.spiffeId === endorsed.spiffeId &&
    maid.podUid === endorsed.podUid;
  if (!same) return undefined;
  return {
    token: maid,
    checks: [
      {
        key: nodeKey,
        message: concat(ENDORSEMENT_CONTEXT, signedEndorsement.body),
        signature: signedEndorsement.signature,
      },
      {
        key: endorsed.workloadKey,
        message: concat(TOKEN_CONTEXT, signedToken.body),
        signature: signedToken.signature,
      },
    ],
  };
}

function split(signed: Bytes): { readonly body: Buffer; readonly signature: Buffer } | undefined {
  if (signed.length <= SIGNATURE_BYTES) return undefined;
  const all = Buffer.from(signed.buffer, signed.byteOffset, signed.length);
  return { body: all.subarray(0, -SIGNATURE_BYTES), signature: all.subarray(-SIGNATURE_BYTES) };
}

function decodeToken(body: Buffer): MaidToken | undefined {
  const reader = new Reader(body);
  const version = reader.bytes(1)[0];
  const slot = Number(reader.bytes(8).readBigUInt64BE(0));
  const token = {
    slot: slot as Slot,
    alias: reader.bytes(16),
    sid: hex(reader.bytes(16)) as Sid,
    evidenceDigest: reader.bytes(32),
    prev: reader.bytes(32),
    history: reader.bytes(32),
    node: reader.text('node') as NodeName,
    spiffeId: reader.text('spiffeId') as SpiffeId,
    podUid: reader.text('podUid'),
    imageDigest: reader.text('imageDigest'),
  };
  const good =
    reader.complete &&
    version === VERSION &&
    Number.isSafeInteger(slot) &&
    isNodeName(token.node) &&
    isSpiffeId(token.spiffeId) &&
    token.podUid !== '';
  return good ? token : undefined;
}

function decodeEndorsement(body: Buffer): Endorsement | undefined {
  const reader = new Reader(body);
  const version = reader.bytes(1)[0];
  const endorsement = {
    workloadKey: reader.bytes(KEY_BYTES),
    sid: hex(reader.bytes(16)) as Sid,
    spiffeId: reader.text('spiffeId') as SpiffeId,
    podUid: reader.text('podUid'),
  };
  const good = reader.complete && version === VERSION && isSpiffeId(endorsement.spiffeId);
  return good ? endorsement : undefined;
}

type TextName = keyof typeof MAX_TEXT;

function text(name: TextName, value: string): Buffer {
  const encoded = field(value);
  if (encoded.length - 2 > MAX_TEXT[name])
    throw new RangeError(`${name} of ${encoded.length} bytes`);
  return encoded;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Takes fields off the front; after the first that is not there, `complete` stays false. */
class Reader {
  #rest: Buffer;
  #failed = false;

  constructor(body: Buffer) {
    this.#rest = body;
  }

  /** True when everything was there and nothing is left. */
  get complete(): boolean {
    return !this.#failed && this.#rest.length === 0;
  }

  bytes(length: number): Buffer {
    if (this.#rest.length < length) this.#failed = true;
    if (this.#failed) return Buffer.alloc(length);
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  text(name: TextName): string {
    const length = this.bytes(2).readUInt16BE(0);
    if (length > MAX_TEXT[name]) this.#failed = true;
    const raw = this.bytes(this.#failed ? 0 : length);
    try {
      return strictUtf8.decode(raw);
    } catch {
      this.#failed = true; // not UTF-8
      return '';
    }
  }
}
