// Vectors of replies (PROTOCOL 6.3): acceptance and each denial, with a chain to confirm and without one,
// and what is no reply of the receiver.
import { concat } from '#agent/base/bytes.ts';
import { AEADS } from '#proxy/chips/registry.ts';
import { openReply, sealOpening, sealReply, tryOpening } from '#proxy/laneOpening.ts';
import { frameKeys, trafficSecret } from '#proxy/see/keys.ts';
import { SALT_BYTES, encodeReply, type Denial, type Reply } from '#proxy/see/opening.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import { BLOCK } from './blocks.ts';
import { RECEIVER, seed } from './cast.ts';
import { flipped, withByte } from './changed.ts';
import { chainUnder, ringsUnder, sendingOf } from './ring.ts';
import type { Vector } from './vector.ts';

const DENIED: readonly Denial[] = [
  'policy',
  'identity',
  'destination',
  'unreachable',
  'mode',
  'busy',
  'trust',
];
const REPLY_SALT = seed('reply salt', SALT_BYTES);

export const replyVectors = (): Vector[] => [
  ...[1, 18, 40].map((algorithm) => replyVector(algorithm, 0, true)),
  replyVector(1, 0, false),
  ...DENIED.map((_, at) => replyVector(1, at + 1, true)),
  replyVector(1, 7, false),
  ...readVectors(),
];

/** Both ends of a lane before its reply. */
function lane(algorithm: number) {
  const rings = ringsUnder(chainUnder(algorithm));
  const opening = sealOpening(sendingOf(rings), BLOCK, seed('salt', 16));
  const attempt = tryOpening(rings.receiver, rings.sources, opening.bytes);
  if (attempt.kind !== 'opened') throw new Error('the opening does not open');
  const confirmed = rings.receiver.confirmation(RECEIVER.sid);
  return { opening, opened: attempt.opened, confirmed, ls: Buffer.from(opening.ls) };
}

function replyVector(algorithm: number, code: number, confirms: boolean): Vector {
  const { opening, opened, confirmed, ls } = lane(algorithm);
  const denied = DENIED[code - 1];
  const reply: Reply = { ...(denied && { denied }), ...(confirms && confirmed && { confirmed }) };
  const { bytes, s2c } = sealReply(opened, reply, REPLY_SALT);
  const read = openReply(opening, bytes)?.reply;
  if (!read || read.denied !== denied) throw new Error('the reply does not open');
  const { chain } = opened.start;
  return {
    name: `${chain.aead}, ${denied ?? 'accepted'}, ${confirms ? 'with' : 'without'} a chain`,
    compute: 'reply',
    given: {
      suite: AEADS[chain.aead],
      ls,
      transcript: opening.transcript,
      replySalt: REPLY_SALT,
      code,
      ...(confirms && { confirmed: { ...confirmed } }),
    },
    expect: { s2c, plain: encodeReply(reply), reply: bytes },
  };
}

function readVectors(): Vector[] {
  const { opened, confirmed } = lane(1);
  const ls = Buffer.from(opened.ls);
  const { transcript } = opened;
  const good = sealReply(opened, { ...(confirmed && { confirmed }) }, REPLY_SALT).bytes;
  const sealed = (plain: Buffer, direction: 's2c' | 'c2s', before = 0): Buffer => {
    const secret = trafficSecret(ls, direction, transcript, REPLY_SALT);
    const sealer = new FrameSealer('AES-256-GCM', frameKeys(secret));
    for (let n = 0; n < before; n += 1) sealer.message(REPLY_SALT, plain);
    return concat(REPLY_SALT, sealer.message(REPLY_SALT, plain));
  };
  const plain = encodeReply({});
  const readable: readonly (readonly [string, number, Buffer])[] = [
    ['acceptance with a chain', 0, good],
    ['acceptance without a chain', 0, sealed(plain, 's2c')],
    ['an unknown code', 200, sealed(withByte(plain, 0, 200), 's2c')],
  ];
  const bad: readonly (readonly [string, Buffer])[] = [
    ['a changed salt', flipped(good, 0)],
    ['a changed code', flipped(good, SALT_BYTES)],
    ['a changed tag', flipped(good, -1)],
    ['sealed under c2s', sealed(plain, 'c2s')],
    ['sealed under counter 1', sealed(plain, 's2c', 1)],
    ['the first byte behind the check', sealed(withByte(plain, 33, 1), 's2c')],
    ['the last byte behind the check', sealed(withByte(plain, 47, 1), 's2c')],
  ];
  const given = { suite: 1, ls, transcript };
  const refused = bad.map(([name, reply]) => {
    if (openReply(lane(1).opening, reply)) throw new Error(`not refused: ${name}`);
    return { name, compute: 'readReply', given: { ...given, reply }, refused: '6.3' };
  });
  const accepted = readable.map(([name, code, reply]) => {
    const read = openReply(lane(1).opening, reply)?.reply;
    if (!read) throw new Error(`refused: ${name}`);
    const said = read.confirmed && { confirmed: { ...read.confirmed } };
    const expect = { code, accepts: read.denied === undefined, ...said };
    return { name, compute: 'readReply', given: { ...given, reply }, expect };
  });
  return [...accepted, ...refused];
}
