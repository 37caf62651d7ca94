// Vectors of KEYUPDATE and RESET (PROTOCOL 7.1 and 7.3): what they say, what of it is refused, and the secret
// after an update.
import { concat, u16 } from '#agent/base/bytes.ts';
import {
  decodeKeyUpdate,
  decodeReset,
  encodeKeyUpdate,
  encodeReset,
  type KeyUpdate,
} from '#proxy/see/frames.ts';
import { nextSecret } from '#proxy/see/keys.ts';
import { PAIR, RECEIVER, SLOT, SOURCE, seed } from './cast.ts';
import { withByte } from './changed.ts';
import { chainUnder } from './ring.ts';
import type { Vector } from './vector.ts';

const CURRENT = seed('traffic secret');

/** From the source, to the chain and slot of the vectors. */
export const UPDATE = {
  kind: 1,
  chainId: chainUnder(1).id,
  slot: SLOT,
  ownSid: SOURCE.sid,
  peerSid: RECEIVER.sid,
} as const;

const RESETS: readonly (readonly [string, Buffer])[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 0xff01].map((code) => [`code ${code}`, u16(code)] as const),
  ['no data', Buffer.alloc(0)],
  ['one byte', Buffer.of(1)],
  ['three bytes', Buffer.of(0, 1, 0)],
];

export function updateVectors(): Vector[] {
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
    ...RESETS.map(([name, data]) => ({
      name,
      compute: 'readReset',
      given: { data },
      expect: { code: encodeReset(decodeReset(data)).readUInt16BE() },
    })),
    {
      name: 'of a direction',
      compute: 'nextSecret',
      given: { update, current: CURRENT, pair: PAIR },
      expect: { next: nextSecret(update, CURRENT, PAIR) },
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
    ['no data', Buffer.alloc(0)],
  ];
}
