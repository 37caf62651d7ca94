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
import { earlySecret, frameKeys, laneSecret, nextSecret, trafficSecret } from '#proxy/see/keys.ts';
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
    const first = firstSecrets(lane, known, chains);
    const c2s = lane.pieces.filter(({ direction }) => direction === 'c2s');
    const s2c = lane.pieces.filter(({ direction }) => direction === 's2c');
    return [c2s, s2c].flatMap((pieces) => openedOf(pieces, first, known, chains));
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

/** What a lane may have begun under: values as they are, as LS, and as chain and pair. */
function firstSecrets(
  lane: RecordedLane,
  { values, slots }: Knowledge,
  chains: ReadonlyMap<string, Buffer>,
): Buffer[] {
  const { node, sid } = lane.destination;
  const receiver = endpoint(node, sid);
  const isOfLane = (key: Bytes): boolean => kidOf(key, receiver).equals(lane.kid);
  const guessed = values.flatMap((value) => ticked(value, slots)).filter(isOfLane);
  const fitting = [...guessed, ...[...chains.values()].filter(isOfLane)];
  const secrets = [
    ...values,
    ...fitting.flatMap((chain) => values.map((pair) => laneSecret(chain, pair))),
  ];
  const { transcript, replySalt } = lane;
  return [
    ...values.map((value) => Buffer.from(value)),
    ...secrets.flatMap((ls) => [
      earlySecret(ls, transcript),
      trafficSecret(ls, 'c2s', transcript, replySalt),
      trafficSecret(ls, 's2c', transcript, replySalt),
    ]),
  ];
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

/** What of one direction opens: under a first secret, or by following KEYUPDATEs that could be read. */
function openedOf(
  pieces: readonly Piece[],
  first: readonly Buffer[],
  { values }: Knowledge,
  chains: ReadonlyMap<string, Buffer>,
): Piece[] {
  const found: Piece[] = [];
  let secrets = first;
  for (const piece of pieces) {
    const secret = secrets.find((each) => opens(each, piece));
    if (!secret) continue;
    found.push(piece);
    const update = piece.what === 'keyUpdate' ? decodeKeyUpdate(piece.plain) : undefined;
    if (update?.kind !== 1) continue;
    const chain = chains.get(`${update.chainId}/${update.slot}`);
    if (!chain) continue;
    const mixed = expand(chain, LABEL.update);
    secrets = [...first, ...values.map((pair) => nextSecret(mixed, secret, pair))];
  }
  return found;
}

/** Whether `piece` opens under a traffic secret. */
export function opens(secret: Bytes, { aead, counter, aad, sealed }: Piece): boolean {
  const { key, iv } = frameKeys(secret);
  const nonces = new Nonces(iv);
  for (let skipped = 0; skipped < counter; skipped += 1) nonces.next();
  return open(aead, key, nonces.next(), aad, sealed) !== undefined;
}
