// Vectors of whole lanes (PROTOCOL 6 and 7): what both ends send from the opening to both FINs, over slots,
// chains and statements, by the product's own ends of a lane.
import { slotAt, slotPlus, type Slot } from '#agent/base/brands.ts';
import { concat, type Bytes } from '#agent/base/bytes.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { LaneReceiver, LaneSender } from '#proxy/laneKeys.ts';
import { FRAME, type FrameType } from '#proxy/see/frames.ts';
import { frameKeys, nextSecret } from '#proxy/see/keys.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import type { LiveChain } from '#proxy/snapshot.ts';
import {
  FIRST,
  SECOND,
  accepted,
  frames,
  knownWith,
  type Accepted,
  type Way,
} from './acceptedLane.ts';
import { PAIR, PERIOD_MS, SENT_MS, SLOT, SOURCE } from './cast.ts';
import { refusedLaneVectors } from './refusedLanes.ts';
import { RENEWED, RENEWED_PAIR, tell } from './ring.ts';
import type { Members, Vector } from './vector.ts';

export const laneVectors = (): Vector[] => [wholeLane(), ...refusedLaneVectors()];

function wholeLane(): Vector {
  const lane = accepted();
  const { rings, client, server, replied } = lane;
  const { leaveEarly, clientSays, serverSays } = endsOf(lane);
  clientSays(FRAME.data, 'early');
  serverSays(FRAME.data, 'the server speaks before it has heard all');
  leaveEarly();
  client.secrets.push(Buffer.from(replied.c2s));
  clientSays(FRAME.data, 'after the reply');
  const both = (text: string): void => {
    clientSays(FRAME.data, `client, ${text}`);
    serverSays(FRAME.data, `server, ${text}`);
  };
  tell(rings, { chains: [FIRST], sources: [SOURCE] }, SENT_MS + PERIOD_MS);
  both('in the next slot');
  follow(lane, FIRST, slotPlus(SLOT, 1), PAIR);
  const later = SENT_MS + 2 * PERIOD_MS;
  tell(rings, { chains: [SECOND, FIRST], sources: [RENEWED, SOURCE] }, later);
  both('under another chain and statement');
  follow(lane, SECOND, slotAt(later, SECOND.periodMs), RENEWED_PAIR);
  clientSays(FRAME.fin);
  serverSays(FRAME.fin);
  for (const each of [client, server]) demandLast(each, 'ChaCha20-Poly1305');
  return {
    name: 'two slots, two chains, two statements',
    compute: 'readLane',
    given: knownWith(client, server, later),
    expect: { client: read(client), server: read(server) },
  };
}

/** The ends of the product over an accepted lane. */
function endsOf({ rings, client, server, opening, opened, reply, replied }: Accepted) {
  const c2s = new LaneSender(rings.source, opening.start, {
    secret: opening.secret,
    sealer: opening.sealer,
    isEarly: true,
    updated: () => undefined,
  });
  const s2c = new LaneSender(rings.receiver, opened.start, {
    secret: reply.s2c,
    sealer: reply.sealer,
    isEarly: false,
    updated: () => undefined,
  });
  const { secret, opener } = opened;
  const early = { secret, opener, afterEarly: reply.c2s };
  const atServer = new LaneReceiver(rings.receiver, opened.start, early);
  const s2cKeys = { secret: replied.s2c, opener: replied.opener };
  const atClient = new LaneReceiver(rings.source, opening.start, s2cKeys);
  return {
    leaveEarly: () => c2s.begin(Buffer.from(replied.c2s)),
    clientSays: speak(c2s, atServer, client),
    serverSays: speak(s2c, atClient, server),
  };
}

/** Says a frame from one end to the other, after what the sender finds due. */
const speak =
  (from: LaneSender, to: LaneReceiver, { sent, heard }: Way) =>
  (type: FrameType, text = ''): void => {
    const start = sent.length;
    from.seal(type, Buffer.from(text), (frame) => sent.push(Buffer.from(frame)));
    const failure = to.push(concat(...sent.slice(start)), ({ type: heardType, data }) =>
      heard.push({ type: heardType, data: Buffer.from(data) }),
    );
    if (failure) throw new Error(`a frame of a whole lane is refused: ${failure}`);
  };

/** What an update of both directions makes of their secrets. */
function follow(
  { client, server, rings }: Accepted,
  chain: LiveChain,
  slot: Slot,
  pair: Bytes,
): void {
  const update = rings.source.chain(chain.id)?.window.updateKey(slot);
  if (!update) throw new Error('no key of the slot');
  for (const { secrets } of [client, server]) {
    secrets.push(nextSecret(update, secrets.at(-1) ?? Buffer.alloc(0), pair));
  }
}

/** The last two frames are those of the last secret. */
function demandLast({ sent, heard, secrets }: Way, aead: AeadName): void {
  const sealer = new FrameSealer(aead, frameKeys(secrets.at(-1) ?? Buffer.alloc(0)));
  const last = heard.slice(-2).map(({ type, data }) => Buffer.from(sealer.frame(type, data)));
  if (!concat(...last).equals(concat(...sent.slice(-2)))) throw new Error('another last secret');
}

const read = (each: Way): Members => ({ frames: frames(each), secrets: each.secrets });
