// Vectors of frames (PROTOCOL 7.1): every type under every AEAD, and streams that end a lane.
import { concat, sha256, type Bytes } from '#agent/base/bytes.ts';
import { AEADS, type AeadName } from '#proxy/chips/registry.ts';
import { TAG_BYTES, seal } from '#proxy/see/aead.ts';
import {
  FRAME,
  MAX_FRAME_LENGTH,
  encodeKeyUpdate,
  encodeReset,
  type FrameType,
} from '#proxy/see/frames.ts';
import { frameKeys } from '#proxy/see/keys.ts';
import { LengthMask } from '#proxy/see/mask.ts';
import { FrameOpener } from '#proxy/see/opener.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import { seed } from './cast.ts';
import { flipped } from './changed.ts';
import { UPDATE } from './updates.ts';
import type { Vector } from './vector.ts';

const SECRET = seed('traffic secret');
const NOTHING = Buffer.alloc(0);

/** A frame before it is sealed. */
export interface Sent {
  readonly type: FrameType;
  readonly data: Bytes;
  readonly padding: number;
}

const sent = (type: FrameType, data: Bytes = NOTHING, padding = 0): Sent => ({
  type,
  data,
  padding,
});

/** Each type; data that are zeros, which are no padding; nothing but padding. */
const EVERY_TYPE: readonly Sent[] = [
  sent(FRAME.data, Buffer.from('one byte or more')),
  sent(FRAME.data, Buffer.alloc(5)),
  sent(FRAME.data, NOTHING, 100),
  sent(FRAME.keyUpdate, encodeKeyUpdate({ kind: 0 })),
  sent(FRAME.keyUpdate, encodeKeyUpdate(UPDATE)),
  sent(FRAME.pad, Buffer.from('ignored'), 3),
  sent(FRAME.ping),
  sent(FRAME.ping, Buffer.from('ignored')),
  sent(FRAME.car, Buffer.from('a request')),
  sent(FRAME.fin),
  sent(FRAME.reset, encodeReset('protocol')),
];

export const frameVectors = (): Vector[] => [
  ...(Object.keys(AEADS) as AeadName[]).flatMap((aead) =>
    [0, 1].map((first) => framesVector(aead, first)),
  ),
  largestFrame(),
  ...refusedFrames(),
];

/** A key's first frame has counter 1 where an open block or a reply came before it. */
function sealerFrom(aead: AeadName, first: number): FrameSealer {
  const sealer = new FrameSealer(aead, frameKeys(SECRET));
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

/** One byte, and padding up to the largest length that is taken. */
function largestFrame(): Vector {
  const frames = [sent(FRAME.data, Buffer.from('a'), MAX_FRAME_LENGTH - TAG_BYTES - 2)];
  const sealed = sealAll(sealerFrom('AES-256-GCM', 0), frames);
  const opener = new FrameOpener('AES-256-GCM', frameKeys(SECRET));
  if (opener.push(concat(...sealed), () => undefined))
    throw new Error('refused: the largest frame');
  return {
    name: 'of 64 KiB + 1 KiB',
    compute: 'frameDigests',
    given: { suite: 1, secret: SECRET, first: 0, frames: frames.map((f) => ({ ...f })) },
    expect: { digests: sealed.map((frame) => sha256(frame)) },
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
  const [one = NOTHING, two = NOTHING, three = NOTHING] = sealAll(
    sealerFrom('AES-256-GCM', 0),
    EVERY_TYPE,
  );
  const [late = NOTHING] = sealAll(sealerFrom('AES-256-GCM', 1), EVERY_TYPE);
  const [other = NOTHING] = sealAll(sealerFrom('ChaCha20-Poly1305', 0), EVERY_TYPE);
  const typed = (type: number): Buffer => frameOf(Buffer.from([0x61, type]));
  return [
    refused('a changed byte of data', flipped(one, 3)),
    refused('a changed tag', flipped(one, -1)),
    refused('a length that is one less', concat(flipped(one, 2), Buffer.alloc(1))),
    refused('a length of 16', frameOf(NOTHING)),
    refused('a length of 0', frameOf(NOTHING, { length: 0 })),
    refused('a length over 64 KiB + 1 KiB', frameOf(NOTHING, { length: MAX_FRAME_LENGTH + 1 })),
    refused('a length that was authenticated masked', maskedAad()),
    refused('nothing but zeros, so no type', frameOf(Buffer.alloc(8))),
    refused('an unknown type: 8', typed(8)),
    refused('an unknown type: 255', typed(255)),
    refused('a FIN with data', typed(FRAME.fin)),
    refused('a FIN with a zero for data', frameOf(Buffer.from([0, FRAME.fin]))),
    refused('the second frame first', concat(two, one)),
    refused('the first frame twice', concat(one, one), 1),
    refused('a frame left out', concat(one, three), 1),
    refused('the counter of an opening', late),
    refused('another AEAD', other),
  ];
}

/** Sealed with the length as it is on the wire for AAD. */
function maskedAad(): Buffer {
  const plain = Buffer.from([0x61, FRAME.data]);
  const length = Buffer.alloc(3);
  length.writeUIntBE(plain.length + 16, 0, 3);
  new LengthMask(frameKeys(SECRET).hp).apply(length);
  return frameOf(plain, { aad: length.readUIntBE(0, 3) });
}

/** `delivered`: how many frames of `bytes` count before they end the lane. */
function refused(name: string, bytes: Buffer, delivered = 0): Vector {
  const frames: { type: number; data: Buffer }[] = [];
  const opener = new FrameOpener('AES-256-GCM', frameKeys(SECRET));
  const failure = opener.push(bytes, ({ type, data }) => {
    frames.push({ type, data: Buffer.from(data) });
  });
  if (failure === undefined || frames.length !== delivered) {
    throw new Error(`${name}: ${failure ?? 'not refused'} after ${frames.length} frames`);
  }
  return {
    name,
    compute: 'readFrames',
    given: { suite: 1, secret: SECRET, first: 0, bytes },
    expect: { frames },
    refused: '7.1',
  };
}
