// Lanes between node a and node b as somebody on the path records them, and read again by whoever has
// all keys: that tells under which secret each piece was sealed, for others to try theirs on.
import { slotPlus, type ChainId, type Sid, type Slot } from '#agent/base/brands.ts';
import { fromHex, hex, type Bytes } from '#agent/base/bytes.ts';
import { LABEL, endpoint, headerKeyOf, kidOf, tick } from '#proxy/chips/chain.ts';
import { expand } from '#proxy/chips/hkdf.ts';
import { chipsAlgorithm, type AeadName } from '#proxy/chips/registry.ts';
import { onPath } from '#proxy/lane.fixture.ts';
import { Nonces, open } from '#proxy/see/aead.ts';
import { FRAME, LENGTH_BYTES, decodeKeyUpdate, isFrameType } from '#proxy/see/frames.ts';
import {
  earlySecret,
  frameKeys,
  laneContext,
  laneSecret,
  nextSecret,
  trafficSecret,
  transcriptOf,
  type LaneEnd,
} from '#proxy/see/keys.ts';
import { LengthMask } from '#proxy/see/mask.ts';
import { PREFIX_BYTES, REPLY_BYTES, SALT_BYTES, openHeader } from '#proxy/see/opening.ts';
import type { Snapshot } from '#proxy/snapshot.ts';
import type { TwoNodes } from '#proxy/twoNodes.fixture.ts';

/** The bytes of one connection between the nodes, as they came. */
export interface Tap {
  readonly c2s: Buffer[];
  readonly s2c: Buffer[];
}

/** Records every connection from node a to node b from now on. */
export async function tap(two: TwoNodes): Promise<readonly Tap[]> {
  const taps: Tap[] = [];
  await onPath(two, (near, far) => {
    const made: Tap = { c2s: [], s2c: [] };
    taps.push(made);
    near.on('data', (bytes: Buffer) => made.c2s.push(Buffer.from(bytes)));
    far.on('data', (bytes: Buffer) => made.s2c.push(Buffer.from(bytes)));
    near.pipe(far);
    far.pipe(near);
    for (const socket of [near, far]) socket.on('error', () => undefined);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  return taps;
}

interface KnownChain {
  readonly aead: AeadName;
  readonly slot: Slot;
  readonly keyHex: string;
}

/** Slots ahead of the first known one in which a kid is looked for. */
const MAX_SLOTS = 200;

/**
 * Every key that the nodes were ever told of. In hex: text is no byte array, so a dump of this process's
 * memory does not find what only this class remembers.
 */
export class Truth {
  readonly #chains = new Map<ChainId, KnownChain>();
  readonly #pairs = new Map<string, string>();
  readonly #ends = new Map<Sid, LaneEnd>();
  #scope = { domain: '', cluster: '' };

  /** Remembers what this snapshot tells a node. */
  note({ self, chains, peers }: Snapshot): void {
    this.#scope = self;
    for (const { id, slot, key, algorithm } of chains) {
      const aead = chipsAlgorithm(algorithm)?.aead;
      if (aead && !this.#chains.has(id)) this.#chains.set(id, { aead, slot, keyHex: hex(key) });
    }
    for (const sid of self.sids) this.#ends.set(sid, { node: self.node, sid });
    for (const { node, statements, pairs } of peers) {
      for (const { sid } of statements) this.#ends.set(sid, { node, sid });
      for (const { ownSid, peerSid, secret } of pairs) {
        this.#pairs.set(pairName(ownSid, peerSid), hex(secret));
      }
    }
  }

  get chains(): readonly ChainId[] {
    return [...this.#chains.keys()];
  }

  get ends(): readonly LaneEnd[] {
    return [...this.#ends.values()];
  }

  get pairs(): readonly Buffer[] {
    return [...this.#pairs.values()].map(fromHex);
  }

  aead(id: ChainId): AeadName {
    return must(this.#chains.get(id), `chain ${id}`).aead;
  }

  /** The oldest slot whose key was told. */
  firstSlot(id: ChainId): Slot {
    return must(this.#chains.get(id), `chain ${id}`).slot;
  }

  /** `chain(id, slot)`. Errors: RangeError before the first slot that was told. */
  chain(id: ChainId, slot: Slot): Buffer {
    const known = must(this.#chains.get(id), `chain ${id}`);
    if (slot < known.slot) throw new RangeError(`slot ${slot} of ${id}`);
    let key = fromHex(known.keyHex);
    for (let at = known.slot; at < slot; at = slotPlus(at, 1)) key = tick(key, at);
    return key;
  }

  pair(a: Sid, b: Sid): Buffer {
    return fromHex(must(this.#pairs.get(pairName(a, b)), `pair ${a} ${b}`));
  }

  context(source: LaneEnd, destination: LaneEnd): Buffer {
    return laneContext(this.#scope.domain, this.#scope.cluster, source, destination);
  }

  /** Which chain, slot and receiver a kid names. */
  kid(kid: Bytes): { readonly id: ChainId; readonly slot: Slot; readonly destination: LaneEnd } {
    for (const [id, { slot: first, keyHex }] of this.#chains) {
      let key = fromHex(keyHex);
      for (let slot = first; slot < first + MAX_SLOTS; slot = slotPlus(slot, 1)) {
        for (const destination of this.#ends.values()) {
          const { node, sid } = destination;
          if (kidOf(key, endpoint(node, sid)).equals(kid)) return { id, slot, destination };
        }
        key = tick(key, slot);
      }
    }
    throw new RangeError(`kid ${hex(kid)}`);
  }
}

const pairName = (a: Sid, b: Sid): string => [a, b].sort().join('/');

function must<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new RangeError(`${what} was never told`);
  return value;
}

/** One AEAD message of a lane: the open block, the reply, or a frame. */
export interface Piece {
  readonly direction: 'c2s' | 's2c';
  /** The slot whose chain key its secret was made with. */
  readonly slot: Slot;
  readonly what: 'block' | 'reply' | keyof typeof FRAME;
  readonly aead: AeadName;
  readonly secret: Buffer;
  readonly counter: number;
  readonly aad: Buffer;
  readonly sealed: Buffer;
  /** Of a frame: without its type. */
  readonly plain: Buffer;
}

/** A lane that was read: what is public about it, what made its first secrets, and all its pieces. */
export interface RecordedLane {
  readonly kid: Buffer;
  readonly salt: Buffer;
  readonly chainId: ChainId;
  readonly slot: Slot;
  readonly source: LaneEnd;
  readonly destination: LaneEnd;
  readonly transcript: Buffer;
  readonly replySalt: Buffer;
  readonly headerKey: Buffer;
  readonly ls: Buffer;
  readonly pieces: readonly Piece[];
}

/** Reads the one lane that a connection carried. Errors: RangeError when a piece does not open. */
export function readLane(tapped: Tap, truth: Truth): RecordedLane {
  const [c2s, s2c] = [Buffer.concat(tapped.c2s), Buffer.concat(tapped.s2c)];
  const prefix = c2s.subarray(0, PREFIX_BYTES);
  const kid = prefix.subarray(0, 8);
  const salt = prefix.subarray(8, 8 + SALT_BYTES);
  const { id: chainId, slot, destination } = truth.kid(kid);
  const chain = truth.chain(chainId, slot);
  const aead = truth.aead(chainId);
  const headerKey = headerKeyOf(chain, endpoint(destination.node, destination.sid));
  const outer = must(openHeader(headerKey, prefix), 'header key');
  const source = must(
    truth.ends.find(({ sid }) => sid.startsWith(outer.header.srcRef)),
    'source',
  );
  const ls = laneSecret(chain, truth.pair(source.sid, destination.sid));
  const transcript = transcriptOf(kid, salt, outer.plain, truth.context(source, destination));
  const replySalt = s2c.subarray(0, SALT_BYTES);
  const early = new Direction('c2s', truth, { secret: earlySecret(ls, transcript), slot, aead });
  const server = new Direction('s2c', truth, {
    secret: trafficSecret(ls, 's2c', transcript, replySalt),
    slot,
    aead,
  });
  early.afterEarly = trafficSecret(ls, 'c2s', transcript, replySalt);
  const openEnd = PREFIX_BYTES + outer.header.openLen;
  early.message('block', prefix, c2s.subarray(PREFIX_BYTES, openEnd));
  early.frames(c2s.subarray(openEnd));
  if (s2c.length >= REPLY_BYTES) {
    server.message('reply', replySalt, s2c.subarray(SALT_BYTES, REPLY_BYTES));
    server.frames(s2c.subarray(REPLY_BYTES));
  }
  const pieces = [...early.pieces, ...server.pieces];
  const ends = { source, destination };
  return { kid, salt, chainId, slot, ...ends, transcript, replySalt, headerKey, ls, pieces };
}

interface Key {
  readonly secret: Buffer;
  readonly slot: Slot;
  readonly aead: AeadName;
}

class Direction {
  readonly pieces: Piece[] = [];
  afterEarly: Buffer | undefined;
  readonly #direction: Piece['direction'];
  readonly #truth: Truth;
  #key: Key;
  #nonces: Nonces;
  #mask: LengthMask;

  constructor(direction: Piece['direction'], truth: Truth, key: Key) {
    this.#direction = direction;
    this.#truth = truth;
    this.#key = key;
    const { iv, hp } = frameKeys(key.secret);
    this.#nonces = new Nonces(iv);
    this.#mask = new LengthMask(hp);
  }

  /** The message under the next counter; its plaintext. */
  message(what: 'block' | 'reply', aad: Buffer, sealed: Buffer): void {
    const plain = this.#open(aad, sealed);
    this.#note({ what, aad, sealed, plain }, this.#nonces.used - 1);
  }

  /** All frames of the rest of this direction, across its KEYUPDATEs. */
  frames(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const aad = Buffer.from(bytes.subarray(at, at + LENGTH_BYTES));
      this.#mask.apply(aad);
      const end = at + LENGTH_BYTES + aad.readUIntBE(0, LENGTH_BYTES);
      const sealed = bytes.subarray(at + LENGTH_BYTES, end);
      this.#frame(aad, sealed);
      at = end;
    }
  }

  #frame(aad: Buffer, sealed: Buffer): void {
    const inner = this.#open(aad, sealed);
    const typeAt = inner.findLastIndex((byte) => byte !== 0);
    const type = inner[typeAt] ?? 0;
    if (!isFrameType(type)) throw new RangeError(`frame type ${type}`);
    const plain = inner.subarray(0, typeAt);
    const names = Object.keys(FRAME) as (keyof typeof FRAME)[];
    const what = must(
      names.find((name) => FRAME[name] === type),
      'type',
    );
    this.#note({ what, aad, sealed, plain }, this.#nonces.used - 1);
    if (what === 'keyUpdate') this.#follow(plain);
  }

  #follow(body: Buffer): void {
    const update = must(decodeKeyUpdate(body), 'KEYUPDATE');
    if (update.kind === 0) {
      this.#replace({ ...this.#key, secret: must(this.afterEarly, 'c2s') });
      return;
    }
    const { chainId, slot, ownSid, peerSid } = update;
    const mixed = expand(this.#truth.chain(chainId, slot), LABEL.update);
    const secret = nextSecret(mixed, this.#key.secret, this.#truth.pair(ownSid, peerSid));
    this.#replace({ secret, slot, aead: this.#truth.aead(chainId) });
  }

  #replace(key: Key): void {
    this.#key = key;
    const { iv, hp } = frameKeys(key.secret);
    this.#nonces = new Nonces(iv);
    this.#mask = new LengthMask(hp);
  }

  #open(aad: Buffer, sealed: Buffer): Buffer {
    const { key } = frameKeys(this.#key.secret);
    const plain = open(this.#key.aead, key, this.#nonces.next(), aad, sealed);
    return must(plain, `a key for ${this.#direction}`);
  }

  #note(piece: Pick<Piece, 'what' | 'aad' | 'sealed' | 'plain'>, counter: number): void {
    this.pieces.push({ ...piece, ...this.#key, direction: this.#direction, counter });
  }
}
