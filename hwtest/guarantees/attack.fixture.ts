// What somebody who has recorded lanes can do with values from elsewhere: take each for every kind of
// key there is, derive from it whatever follows, and try that on every piece. A fixture: the strongest
// attacker that the protocol's own derivations allow.
import { slotPlus, type ChainId, type Slot } from '#agent/base/brands.ts';
import { fromB64url, fromHex, hex, type Bytes } from '#agent/base/bytes.ts';
import type { EpochRecord } from '#agent/epochs/record.ts';
import { LABEL, endpoint, epochStep, kidOf, rootCommit, tick } from '#proxy/chips/chain.ts';
import { expand } from '#proxy/chips/hkdf.ts';
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import { Nonces, open } from '#proxy/see/aead.ts';
import { decodeKeyUpdate } from '#proxy/see/frames.ts';
import {
  earlySecret,
  frameKeys,
  laneSecret,
  nextSecret,
  trafficSecret,
  type FrameKeys,
} from '#proxy/see/keys.ts';
import type { Piece, RecordedLane } from './recording.fixture.ts';

/** A chain value, and what it is known to be. */
export interface KnownChain {
  readonly id: ChainId;
  readonly slot: Slot;
  readonly key: Bytes;
}

export interface Knowledge {
  /** 32 bytes each, of unknown meaning: each is tried as everything. */
  readonly values: readonly Bytes[];
  /** Ticked forward, and led into later epochs by `records`. */
  readonly chains?: readonly KnownChain[];
  /** Of the bus: records are public. One that begins a generation needs its root among `values`. */
  readonly records?: readonly EpochRecord[];
  /** Slots in which values may be chain values. */
  readonly slots: { readonly from: Slot; readonly to: Slot };
}

/** Every piece of `lanes` that opens under something that follows from `known`. */
export function opened(known: Knowledge, lanes: readonly RecordedLane[]): Piece[] {
  const chains = chainValues(known);
  return lanes.flatMap((lane) => {
    const secrets = laneSecrets(lane, known, chains);
    return (['c2s', 's2c'] as const).flatMap((direction) => {
      const pieces = lane.pieces.filter((piece) => piece.direction === direction);
      return openedOf(pieces, trials(lane, direction, known, secrets), known, chains);
    });
  });
}

/** Each chain that is known by name, in every slot of interest. */
function chainValues(known: Knowledge): Map<string, Buffer> {
  const { values, chains = [], records = [], slots } = known;
  const found = new Map<string, Buffer>();
  const add = ({ id, slot, key }: KnownChain): void => {
    let at: Buffer = Buffer.from(key);
    for (let now = slot; now <= slots.to; now = slotPlus(now, 1)) {
      found.set(`${id}/${now}`, at);
      at = tick(at, now);
    }
  };
  for (const chain of chains) add(chain);
  for (const {
    chainId,
    parent,
    atSlot,
    algorithm,
    beacon,
    hash,
    rootCommit: committed,
  } of records) {
    const ikm =
      parent === null
        ? values.find((root) => hex(rootCommit(root)) === committed)
        : found.get(`${parent}/${atSlot}`);
    const derive = chipsAlgorithm(algorithm);
    if (!ikm || !derive || found.has(`${chainId}/${atSlot}`)) continue;
    const key = epochStep(derive, ikm, fromB64url(beacon), fromHex(hash));
    add({ id: chainId, slot: atSlot, key });
  }
  return found;
}

/** What may be the LS of a lane: values as they are, and as chain and pair. */
function laneSecrets(
  { destination, kid }: RecordedLane,
  { values, slots }: Knowledge,
  chains: ReadonlyMap<string, Buffer>,
): Bytes[] {
  const receiver = endpoint(destination.node, destination.sid);
  const guessed = [...chains.values(), ...values.flatMap((value) => ticked(value, slots))];
  const fitting = guessed.filter((key) => kidOf(key, receiver).equals(kid));
  return [...values, ...fitting.flatMap((chain) => values.map((pair) => laneSecret(chain, pair)))];
}

/** A traffic secret that is tried, with what pieces are opened with under it. */
interface Trial {
  readonly secret: Bytes;
  readonly keys: FrameKeys;
}

const trialOf = (secret: Bytes): Trial => ({ secret, keys: frameKeys(secret) });

/** What a direction may have begun under: values as they are, and what follows from an LS. */
function trials(
  { transcript, replySalt }: RecordedLane,
  direction: 'c2s' | 's2c',
  { values }: Knowledge,
  secrets: readonly Bytes[],
): Trial[] {
  const begun = secrets.map((ls) => trafficSecret(ls, direction, transcript, replySalt));
  const early = direction === 'c2s' ? secrets.map((ls) => earlySecret(ls, transcript)) : [];
  return [...values, ...begun, ...early].map(trialOf);
}

/** `value` as the chain value of each slot, and all that ticks lead to from there. */
function ticked(value: Bytes, { from, to }: Knowledge['slots']): Buffer[] {
  const found: Buffer[] = [];
  for (let first = from; first <= to; first = slotPlus(first, 1)) {
    let key: Buffer = Buffer.from(value);
    for (let slot = first; slot <= to; slot = slotPlus(slot, 1)) {
      found.push(key);
      key = tick(key, slot);
    }
  }
  return found;
}

/** What of one direction opens: by a first trial, or by following KEYUPDATEs that could be read. */
function openedOf(
  pieces: readonly Piece[],
  first: readonly Trial[],
  { values }: Knowledge,
  chains: ReadonlyMap<string, Buffer>,
): Piece[] {
  const found: Piece[] = [];
  let tried = first;
  for (const piece of pieces) {
    const right = tried.find(({ keys }) => opens(keys, piece));
    if (!right) continue;
    found.push(piece);
    const update = piece.what === 'keyUpdate' ? decodeKeyUpdate(piece.plain) : undefined;
    if (update?.kind !== 1) continue;
    const chain = chains.get(`${update.chainId}/${update.slot}`);
    if (!chain) continue;
    const mixed = expand(chain, LABEL.update);
    const next = values.map((pair) => nextSecret(mixed, right.secret, pair));
    tried = [...first, ...next.map(trialOf)];
  }
  return found;
}

function opens({ key, iv }: FrameKeys, { aead, counter, aad, sealed }: Piece): boolean {
  const nonces = new Nonces(iv);
  for (let skipped = 0; skipped < counter; skipped += 1) nonces.next();
  return open(aead, key, nonces.next(), aad, sealed) !== undefined;
}
