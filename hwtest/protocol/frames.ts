// Vectors of frames (PROTOCOL 7.1) and of KEYUPDATE (7.3): every type under every AEAD, and streams that
// end a lane.
import { concat, type Bytes } from '#agent/base/bytes.ts';
import { AEADS, type AeadName } from '#proxy/chips/registry.ts';
import { seal } from '#proxy/see/aead.ts';
import {
  FRAME,
  MAX_FRAME_LENGTH,
  decodeKeyUpdate,
  encodeKeyUpdate,
  encodeReset,
  type FrameType,
  type KeyUpdate,
} from '#proxy/see/frames.ts';
import { frameKeys, nextSecret } from '#proxy/see/keys.ts';
import { LengthMask } from '#proxy/see/mask.ts';
import { FrameOpener } from '#proxy/see/opener.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import { PAIR, RECEIVER, SLOT, SOURCE, seed } from './cast.ts';
import { flipped, withByte } from './changed.ts';
import { chainUnder } from './ring.ts';
import type { Vector } from './vector.ts';

const SECRET = seed('traffic secret');
const NOTHING = Buffer.alloc(0);

/** A frame before it is sealed. */
export interface Sent {
  readonly type: FrameType;
  readonly data: Bytes;
  readonly padding: number;
}

const UPDATE: KeyUpdate = {
  kind: 1,
  chainId: chainUnder(1).id,
  slot: SLOT,
  ownSid: SOURCE.sid,
  peerSid: RECEIVER.sid,
};

const sent = (type: FrameType, data: Bytes = NOTHING, padding = 0): Sent => ({
  type,
  data,
  padding,
});

/** Each type; data that end with zeros, which are no padding; padding up to the most there can be. */
const EVERY_TYPE: readonly Sent[] = [
  sent(FRAME.data, Buffer.from('one byte or more')),
  sent(FRAME.data, Buffer.alloc(5)),
  sent(FRAME.data, NOTHING, 100),
  sent(FRAME.keyUpdate, encodeKeyUpdate({ kind: 0 })),
  sent(FRAME.keyUpdate, encodeKeyUpdate(UPDATE)),
  sent(FRAME.pad, Buffer.from('ignored'), 3),
  sent(FRAME.ping),
  sent(FRAME.car, Buffer.from('a request')),
  sent(FRAME.fin),
  sent(FRAME.reset, encodeReset('protocol')),
];

export const frameVectors = (): Vector[] => [
  ...(Object.keys(AEADS) as AeadName[]).flatMap((aead) =>
    [0, 1].map((first) => framesVector(aead, first)),
  ),
  ...refusedFrames(),
  ...updateVectors(),
];

/** A key's first frame has counter 1 where an open block or a reply came before it. */
function sealerFrom(aead: AeadName, first: number, secret = SECRET): FrameSealer {
  const sealer = new FrameSealer(aead, frameKeys(secret));
  for (let n = 0; n < first; n += 1) sealer.message(NOTHING, NOTHING);
  return sealer;
}

const sealAll = (sealer: FrameSealer, frames: readonly Sent[]): Buffer[] =>
  frames.map(({ type, data, padding }) => Buffer.from(sealer.frame(type, data, padding)));

function framesVector(aead: AeadName, first: number): Vector {
  const bytes = sealAll(sealerFrom(aead, first), EVERY_TYPE);
  return {
    name: `every type under ${aead}, from counter ${first}`,
    compute: 'frames',
    given: { suite: AEADS[aead], secret: SECRET, first, frames: EVERY_TYPE.map((f) => ({ ...f })) },
    expect: { frames: bytes },
  };
}

/** A frame of any plaintext under counter 0, its length as stated. */
function frameOf(plain: Bytes, change: { length?: number; aad?: number } = {}): Buffer {
  const { key, iv, hp } = frameKeys(SECRET);
  const length = Buffer.alloc(3);
  length.writeUIntBE(change.aad ?? plain.length + 16, 0, 3);
  const sealed = seal('AES-256-GCM', key, iv, length, plain);
  length.writeUIntBE(change.length ?? plain.length + 16, 0, 3);
  new LengthMask(hp).apply(length);
  return concat(length, sealed);
}

function refusedFrames(): Vector[] {
  const frames = sealAll(sealerFrom('AES-256-GCM', 0), EVERY_TYPE);
  const [one = NOTHING, two = NOTHING] = frames;
  const typed = (type: number): Buffer => frameOf(Buffer.from([0x61, type]));
  const bad: readonly (readonly [string, Buffer, readonly number[]])[] = [
    ['a changed byte of data', flipped(one, 3), []],
    ['a changed tag', flipped(one, -1), []],
    ['a length that is one less', concat(flipped(one, 2), Buffer.alloc(1)), []],
    ['a length of 16', frameOf(NOTHING), []],
    ['a length of 0', frameOf(NOTHING, { length: 0 }), []],
    ['a length over 64 KiB + 1 KiB', frameOf(NOTHING, { length: MAX_FRAME_LENGTH + 1 }), []],
    ['a length that was authenticated masked', maskedAad(), []],
    ['nothing but zeros, so no type', frameOf(Buffer.alloc(8)), []],
    ['an unknown type: 8', typed(8), []],
    ['an unknown type: 255', typed(255), []],
    ['the second frame first', concat(two, one), []],
    ['the first frame twice', concat(one, one), [0]],
    ['a frame left out', concat(one, frames[2] ?? NOTHING), [0]],
    [
      'the counter of an opening',
      sealAll(sealerFrom('AES-256-GCM', 1), EVERY_TYPE)[0] ?? NOTHING,
      [],
    ],
    ['another AEAD', sealAll(sealerFrom('ChaCha20-Poly1305', 0), EVERY_TYPE)[0] ?? NOTHING, []],
  ];
  return bad.map(([name, bytes, before]) =>
    refused(
      name,
      bytes,
      before.map((at) => EVERY_TYPE[at]),
    ),
  );
}

/** Sealed with the length as it is on the wire for AAD. */
function maskedAad(): Buffer {
  const plain = Buffer.from([0x61, FRAME.data]);
  const length = Buffer.alloc(3);
  length.writeUIntBE(plain.length + 16, 0, 3);
  new LengthMask(frameKeys(SECRET).hp).apply(length);
  return frameOf(plain, { aad: length.readUIntBE(0, 3) });
}

/** `before`: what is delivered of `bytes` before they end the lane. */
function refused(name: string, bytes: Buffer, before: readonly (Sent | undefined)[]): Vector {
  const delivered: { type: number; data: Buffer }[] = [];
  const opener = new FrameOpener('AES-256-GCM', frameKeys(SECRET));
  const failure = opener.push(bytes, ({ type, data }) => {
    delivered.push({ type, data: Buffer.from(data) });
  });
  const wanted = before.flatMap((frame) => (frame ? [{ type: frame.type, data: frame.data }] : []));
  if (failure === undefined || delivered.length !== wanted.length) {
    throw new Error(`${name}: ${failure ?? 'not refused'} after ${delivered.length} frames`);
  }
  return {
    name,
    compute: 'readFrames',
    given: { suite: 1, secret: SECRET, first: 0, bytes },
    expect: { frames: delivered },
    refused: '7.1',
  };
}

function updateVectors(): Vector[] {
  const update = seed('update');
  const kinds: readonly KeyUpdate[] = [{ kind: 0 }, UPDATE];
  return [
    ...kinds.map((given) => ({
      name: `of kind ${given.kind}`,
      compute: 'keyUpdate',
      given: { ...given },
      expect: { data: encodeKeyUpdate(given) },
    })),
    ...badUpdates().map(([name, data]) => {
      if (decodeKeyUpdate(data)) throw new Error(`not refused: ${name}`);
      return { name, compute: 'readKeyUpdate', given: { data }, refused: '7.1' };
    }),
    {
      name: 'of a direction',
      compute: 'nextSecret',
      given: { update, current: SECRET, pair: PAIR },
      expect: { next: nextSecret(update, SECRET, PAIR) },
    },
  ];
}

function badUpdates(): readonly (readonly [string, Buffer])[] {
  const [zero, one] = [encodeKeyUpdate({ kind: 0 }), encodeKeyUpdate(UPDATE)];
  return [
    ['kind 2', withByte(one, 0, 2)],
    ['kind 0 that names a chain', withByte(one, 0, 0)],
    ['kind 0 with a byte at its end', withByte(zero, 56, 1)],
    ['56 bytes', one.subarray(0, 56)],
    ['58 bytes', concat(one, Buffer.alloc(1))],
    ['slot 2^53', withByte(withByte(one, 18, 0x20), 19, 0)],
    ['no data', NOTHING],
  ];
}
