// The key schedule of an open lane (PROTOCOL 7): each end replaces the secret it sends under and
// follows the other's KEYUPDATEs. Pure: frames go in and out as bytes, sockets are lane.ts.
import { Buffer } from 'node:buffer';
import type { ChainId, NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { wipe, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import {
  FRAME,
  decodeKeyUpdate,
  encodeKeyUpdate,
  type FrameType,
  type KeyUpdate,
} from '#proxy/see/frames.ts';
import { frameKeys, nextSecret } from '#proxy/see/keys.ts';
import { FrameOpener, type Frame, type FrameFailure } from '#proxy/see/opener.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import type { KeyRing, Sending } from './keyRing.ts';
import type { RingChain } from './ringChain.ts';

/** The slot and statements that a sending secret stands for. */
interface Basis {
  readonly periodMs: number;
  readonly slot: Slot;
  readonly generation: number;
  readonly ownSid: Sid;
  readonly peerSid: Sid;
}

/** The keys in use when a direction starts. */
export type Start = Pick<Sending, 'chain' | 'slot' | 'own' | 'peer'>;

const basisOf = ({ chain, slot, own, peer }: Start): Basis => ({
  periodMs: chain.periodMs,
  slot,
  generation: chain.generation,
  ownSid: own.sid,
  peerSid: peer.sid,
});

/** What nothing follows: keys for the next frame would be derived for none. */
const isLast = (type: FrameType): boolean => type === FRAME.fin || type === FRAME.reset;

/** Where frames go: reads them before it returns. */
export type Write = (frame: Buffer) => void;

/** The sending direction of a lane. */
export class LaneSender {
  readonly #ring: KeyRing;
  readonly #peer: NodeName;
  #secret: Buffer;
  #aead: AeadName;
  #sealer: FrameSealer;
  #basis: Basis;
  #ticks: number;
  /** Frames were sent since the last update. */
  #isUsed = true;
  /** False for a client until the reply: its early secret is replaced by kind 0 and nothing else. */
  #canUpdate: boolean;
  #isClosed = false;
  /** Of a client between the reply and the next frame. */
  #afterEarly: Buffer | undefined;
  readonly #updated: (chain: RingChain) => void;

  /** `sealer` has sealed the open block (`isEarly`) or the reply under `secret`, now its own. */
  constructor(
    ring: KeyRing,
    start: Start,
    first: {
      readonly secret: Buffer;
      readonly sealer: FrameSealer;
      readonly isEarly: boolean;
      /** Called at each KEYUPDATE of kind 1, with the chain that is sealed under from then on. */
      readonly updated: (chain: RingChain) => void;
    },
  ) {
    this.#ring = ring;
    this.#peer = start.peer.node;
    this.#aead = start.chain.aead;
    this.#basis = basisOf(start);
    this.#secret = first.secret;
    this.#sealer = first.sealer;
    this.#ticks = ring.ticks;
    this.#canUpdate = !first.isEarly;
    this.#updated = first.updated;
  }

  /**
   * Writes a frame, after a KEYUPDATE where one is due; what is written is valid until `write` returns.
   * False: the key is used up or overwritten, and stays so.
   */
  seal(type: FrameType, data: Bytes, write: Write): boolean {
    if (this.#isClosed) return false;
    if (!isLast(type)) this.#leaveEarly(write);
    this.update(write);
    if (this.#sealer.spent) return false;
    this.#isUsed = true;
    write(this.#sealer.frame(type, data));
    return true;
  }

  /**
   * After the reply: `c2s` replaces the early secret, by a KEYUPDATE of kind 0 before whatever is sent next but
   * a last frame, at the next slot at the latest where the other end is still there to hear it.
   */
  begin(c2s: Buffer): void {
    if (this.#isClosed) wipe(c2s);
    else this.#afterEarly = c2s;
  }

  /**
   * Writes a KEYUPDATE of kind 1 where one is due: at the first slot change after any frame, at the one after
   * new statements or at a new generation though nothing was sent, and before a key is used up.
   */
  update(write: Write): void {
    if (this.#isClosed) return;
    const { spent } = this.#sealer;
    if (this.#ticks === this.#ring.ticks && !spent) return;
    this.#leaveEarly(write);
    if (!this.#canUpdate) return;
    this.#ticks = this.#ring.ticks;
    const sending = this.#ring.sending(this.#peer);
    if ('refused' in sending) return; // goes on under the old secret until it is cut or used up
    const basis = basisOf(sending);
    if (!spent && !this.#isDue(basis, sending.isSettled)) return;
    const { chain, slot, own, peer, pair, updateKey } = sending;
    const update = {
      kind: 1,
      chainId: chain.id,
      slot,
      ownSid: own.sid,
      peerSid: peer.sid,
    } as const;
    write(this.#sealer.frame(FRAME.keyUpdate, encodeKeyUpdate(update)));
    this.#basis = basis;
    this.#isUsed = false;
    this.#updated(chain);
    this.#replace(nextSecret(updateKey, this.#secret, pair), chain.aead);
  }

  /** Overwrites the keys; nothing is sealed any more. */
  close(): void {
    this.#isClosed = true;
    this.#overwrite();
    if (this.#afterEarly) wipe(this.#afterEarly);
  }

  #overwrite(): void {
    this.#sealer.close();
    wipe(this.#secret);
  }

  #leaveEarly(write: Write): void {
    const secret = this.#afterEarly;
    if (!secret) return;
    this.#afterEarly = undefined;
    write(this.#sealer.frame(FRAME.keyUpdate, encodeKeyUpdate({ kind: 0 })));
    this.#canUpdate = true;
    this.#replace(secret, this.#aead);
  }

  #isDue(basis: Basis, isSettled: boolean): boolean {
    const last = this.#basis;
    if (basis.slot === last.slot && basis.periodMs === last.periodMs) return false;
    const isOther = basis.ownSid !== last.ownSid || basis.peerSid !== last.peerSid;
    return this.#isUsed || basis.generation !== last.generation || (isOther && isSettled);
  }

  #replace(secret: Buffer, aead: AeadName): void {
    this.#overwrite();
    this.#secret = secret;
    this.#aead = aead;
    this.#sealer = new FrameSealer(aead, frameKeys(secret));
  }
}

/** Why a lane cannot be read on; `update`: a KEYUPDATE that is out of place or names unknown keys. */
export type ReadFailure = FrameFailure | 'update';

/** A KEYUPDATE that names keys. */
type StatedUpdate = Extract<KeyUpdate, { kind: 1 }>;

/** What became of a KEYUPDATE; `unknown`: it names a chain or statements that are not here yet. */
type Follow = 'followed' | 'unknown' | 'wrong';

/** A sender updates within a slot only when a key is used up. */
const MAX_REPEATS = 4;

/** The receiving direction of a lane. */
export class LaneReceiver {
  readonly #ring: KeyRing;
  readonly #opener: FrameOpener;
  #secret: Buffer;
  #aead: AeadName;
  /** Of a server until kind 0: what follows the client's early secret. */
  #afterEarly: Buffer | undefined;
  /** The lane's own copy: frames may still name it when the statements have been replaced. */
  readonly #pair: Buffer;
  #ownSid: Sid;
  #peerSid: Sid;
  #failure: ReadFailure | undefined;
  /** Named keys that are not here yet. */
  #awaited: StatedUpdate | undefined;
  /** What the last KEYUPDATE of kind 1 named, and how often in a row. */
  #lastChain: ChainId | undefined;
  #lastSlot: Slot | undefined;
  #repeats = 0;

  /**
   * `opener` has opened the open block or the reply under `secret`, now its own; `pair` is copied.
   * `afterEarly` is what replaces a client's early secret at kind 0.
   */
  constructor(
    ring: KeyRing,
    start: Start & { readonly pair: Bytes },
    first: {
      readonly secret: Buffer;
      readonly opener: FrameOpener;
      readonly afterEarly?: Buffer;
    },
  ) {
    this.#ring = ring;
    this.#aead = start.chain.aead;
    this.#pair = Buffer.from(start.pair);
    this.#ownSid = start.own.sid;
    this.#peerSid = start.peer.sid;
    this.#secret = first.secret;
    this.#opener = first.opener;
    this.#afterEarly = first.afterEarly;
  }

  /** The statement of the other end that its present secret stands for. */
  get peerSid(): Sid {
    return this.#peerSid;
  }

  /** True between two frames: a TCP end here cuts none in half. */
  get atBoundary(): boolean {
    return this.#opener.atBoundary;
  }

  /** Hands on every frame in `chunk` but KEYUPDATEs, which it follows. A failure is final. */
  push(chunk: Bytes, onFrame: (frame: Frame) => void): ReadFailure | undefined {
    const failure = this.#opener.push(chunk, (frame) => {
      if (frame.type !== FRAME.keyUpdate) {
        onFrame(frame);
        return;
      }
      const update = decodeKeyUpdate(frame.data);
      const follow = update ? this.#take(update) : 'wrong';
      if (follow === 'followed') return;
      if (follow === 'wrong') this.#failure = 'update';
      this.#opener.stop();
    });
    return failure ?? this.#failure;
  }

  /**
   * True after push() met a KEYUPDATE whose keys are not here yet: those of a chain may come with the next
   * snapshot. Nothing is read before resume() says that they have.
   */
  get isWaiting(): boolean {
    return this.#awaited !== undefined;
  }

  /** Follows the KEYUPDATE that waits; true: what was `unread` can be pushed again. */
  resume(): boolean {
    if (!this.#awaited || this.#follow(this.#awaited) !== 'followed') return false;
    this.#awaited = undefined;
    return true;
  }

  /** How many bytes at the end of the last chunk were not looked at, because stop() was called. */
  get unread(): number {
    return this.#opener.unread;
  }

  /** Ignores whatever follows. */
  stop(): void {
    this.#opener.stop();
  }

  /** Overwrites the keys. */
  close(): void {
    this.#opener.close();
    wipe(this.#secret, this.#pair);
    if (this.#afterEarly) wipe(this.#afterEarly);
  }

  #take(update: KeyUpdate): Follow {
    if (update.kind === 0) {
      if (!this.#afterEarly) return 'wrong';
      this.#replace(this.#afterEarly, this.#aead);
      this.#afterEarly = undefined;
      return 'followed';
    }
    if (this.#afterEarly || this.#isRepeated(update)) return 'wrong';
    const follow = this.#follow(update);
    if (follow === 'unknown') this.#awaited = update;
    return follow;
  }

  #follow(update: StatedUpdate): Follow {
    // The sender's own statement is this end's peer, and the other way round.
    const [ownSid, peerSid] = [update.peerSid, update.ownSid];
    const pair = this.#isSame(update) ? this.#pair : this.#ring.pair(ownSid, peerSid);
    const chain = this.#ring.chain(update.chainId);
    if (!pair || !chain) return 'unknown';
    const updateKey = chain.window.updateKey(update.slot);
    if (!updateKey) return 'wrong';
    const next = nextSecret(updateKey, this.#secret, pair);
    this.#pair.set(pair);
    this.#ownSid = ownSid;
    this.#peerSid = peerSid;
    this.#replace(next, chain.aead);
    return 'followed';
  }

  #isSame({ ownSid, peerSid }: StatedUpdate): boolean {
    return peerSid === this.#ownSid && ownSid === this.#peerSid;
  }

  /** Whether the same keys were named too often in a row: each costs a derivation, and none is needed. */
  #isRepeated(update: StatedUpdate): boolean {
    const { chainId, slot } = update;
    const isAnother =
      !this.#isSame(update) || chainId !== this.#lastChain || slot !== this.#lastSlot;
    this.#lastChain = chainId;
    this.#lastSlot = slot;
    this.#repeats = isAnother ? 0 : this.#repeats + 1;
    return this.#repeats > MAX_REPEATS;
  }

  #replace(secret: Buffer, aead: AeadName): void {
    wipe(this.#secret);
    this.#secret = secret;
    this.#aead = aead;
    this.#opener.rekey(aead, frameKeys(secret));
  }
}
