// Lanes that a KEYUPDATE or a byte behind a FIN ends (PROTOCOL 7.3 and 7.1). They are sealed by hand: no end of the product would send them.
import { slotPlus, type ChainId, type Sid } from '#agent/base/brands.ts';
import { concat, hex } from '#agent/base/bytes.ts';
import { LaneReceiver } from '#proxy/laneKeys.ts';
import { FRAME, encodeKeyUpdate, type KeyUpdate } from '#proxy/see/frames.ts';
import { frameKeys, nextSecret } from '#proxy/see/keys.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import { FIRST, accepted, frames, knownWith } from './acceptedLane.ts';
import { PAIR, RECEIVER, SENT_MS, SLOT, SOURCE, seed } from './cast.ts';
import type { Rings } from './ring.ts';
import { UPDATE } from './updates.ts';
import type { Vector } from './vector.ts';

const ZERO: KeyUpdate = { kind: 0 };
const EXCHANGED: KeyUpdate = { ...UPDATE, ownSid: RECEIVER.sid, peerSid: SOURCE.sid };
const STRANGE = hex(seed('strange', 16));

/** What an end sends after the reply: updates, and words as DATA. The last update must be refused. */
interface Refusal {
  readonly name: string;
  readonly by: 'client' | 'server';
  readonly says: readonly (KeyUpdate | string)[];
}

const REFUSALS: readonly Refusal[] = [
  { name: 'kind 1 before kind 0', by: 'client', says: ['early', UPDATE] },
  { name: 'kind 0 twice', by: 'client', says: [ZERO, 'once', ZERO] },
  { name: 'kind 0 by the server', by: 'server', says: ['hello', ZERO] },
  {
    name: 'a strange chain',
    by: 'client',
    says: [ZERO, { ...UPDATE, chainId: STRANGE as ChainId }],
  },
  {
    name: 'a slot before the first that is held',
    by: 'client',
    says: [ZERO, { ...UPDATE, slot: slotPlus(SLOT, -1) }],
  },
  {
    name: 'a slot two ahead',
    by: 'client',
    says: [ZERO, { ...UPDATE, slot: slotPlus(SLOT, 2) }],
  },
  {
    name: 'a strange statement of its sender',
    by: 'client',
    says: [ZERO, { ...UPDATE, ownSid: STRANGE as Sid }],
  },
  {
    name: 'a strange statement of its reader',
    by: 'client',
    says: [ZERO, { ...UPDATE, peerSid: STRANGE as Sid }],
  },
  { name: 'its statements exchanged', by: 'client', says: [ZERO, EXCHANGED] },
  {
    name: 'the same keys a sixth time',
    by: 'client',
    says: [ZERO, UPDATE, UPDATE, UPDATE, UPDATE, UPDATE, 'five times', UPDATE],
  },
];

export const refusedLaneVectors = (): Vector[] => [...REFUSALS.map(refusedLane), byteBehindFin()];

/** Under the keys of the FIN's direction, which its reader has overwritten. */
function byteBehindFin(): Vector {
  const { client, server, reply, opened, opening, rings } = accepted();
  const { secret, opener } = opened;
  const reader = new LaneReceiver(rings.receiver, opened.start, {
    secret,
    opener,
    afterEarly: reply.c2s,
  });
  client.sent.push(Buffer.from(opening.sealer.frame(FRAME.fin, Buffer.alloc(0))), Buffer.of(0));
  reader.push(concat(...client.sent.slice(1)), ({ type, data }) => {
    client.heard.push({ type, data: Buffer.from(data) });
    reader.close();
  });
  if (reader.unread !== 1) throw new Error('a byte behind a FIN was looked at');
  return {
    name: 'a byte behind a FIN',
    compute: 'readLane',
    given: knownWith(client, server, SENT_MS),
    expect: { client: { frames: frames(client) }, server: { frames: frames(server) } },
    refused: '7.1',
  };
}

function refusedLane({ name, by, says }: Refusal): Vector {
  const lane = accepted();
  const { client, server, reply, opened, opening, replied, rings } = lane;
  const isClient = by === 'client';
  const { sent, heard } = isClient ? client : server;
  const start = sent.length;
  sent.push(
    ...(isClient
      ? said(rings, says, opening, replied.c2s)
      : said(rings, says, { sealer: reply.sealer, secret: reply.s2c })),
  );
  const { secret, opener } = opened;
  const reader = isClient
    ? new LaneReceiver(rings.receiver, opened.start, { secret, opener, afterEarly: reply.c2s })
    : new LaneReceiver(rings.source, opening.start, {
        secret: replied.s2c,
        opener: replied.opener,
      });
  const failure = reader.push(concat(...sent.slice(start)), ({ type, data }) =>
    heard.push({ type, data: Buffer.from(data) }),
  );
  const words = says.filter((word) => typeof word === 'string');
  const isRefused = failure === 'update' || reader.isWaiting; // for keys that never come
  if (!isRefused || heard.length !== words.length) {
    throw new Error(`${name}: ${failure ?? 'not refused'} after ${heard.length} frames`);
  }
  return {
    name,
    compute: 'readLane',
    given: knownWith(client, server, SENT_MS),
    expect: { client: { frames: frames(client) }, server: { frames: frames(server) } },
    refused: '7.3',
  };
}

/** The frames, from `first` on; `c2s` replaces a client's early secret. */
function said(
  rings: Rings,
  says: Refusal['says'],
  first: { readonly sealer: FrameSealer; readonly secret: Buffer },
  c2s?: Buffer,
): Buffer[] {
  let { sealer, secret } = first;
  return says.map((word) => {
    if (typeof word === 'string') return Buffer.from(sealer.frame(FRAME.data, Buffer.from(word)));
    const frame = Buffer.from(sealer.frame(FRAME.keyUpdate, encodeKeyUpdate(word)));
    const update = rings.source.chain(FIRST.id)?.window.updateKey(SLOT) ?? Buffer.alloc(0);
    secret = word.kind === 0 && c2s ? c2s : nextSecret(update, secret, PAIR);
    sealer = new FrameSealer('AES-256-GCM', frameKeys(secret));
    return frame;
  });
}
