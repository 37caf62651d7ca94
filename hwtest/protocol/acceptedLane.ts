// A lane that was opened and accepted, at both of its ends: where the vectors of whole lanes begin. It holds
// what each end sent and what of it arrived; who speaks and how is lanes.ts and refusedLanes.ts.
import { slotAt, type ChainId } from '#agent/base/brands.ts';
import { concat, hex } from '#agent/base/bytes.ts';
import { openReply, sealOpening, sealReply, tryOpening } from '#proxy/laneOpening.ts';
import type { FrameType } from '#proxy/see/frames.ts';
import { SALT_BYTES } from '#proxy/see/opening.ts';
import type { LiveChain } from '#proxy/snapshot.ts';
import { BLOCK } from './blocks.ts';
import { CLUSTER, DOMAIN, PAIR, PERIOD_MS, RECEIVER, SENT_MS, SOURCE, seed } from './cast.ts';
import { RENEWED, RENEWED_PAIR, chainUnder, ringsUnder, sendingOf } from './ring.ts';
import type { Members } from './vector.ts';

/** The chain of the opening. */
export const FIRST = chainUnder(1);
/** A newer one, of another AEAD and with slots half as long. */
export const SECOND: LiveChain = {
  ...FIRST,
  id: hex(seed('second chain id', 16)) as ChainId,
  epoch: 2,
  algorithm: 18,
  periodMs: PERIOD_MS / 2,
  atSlot: slotAt(SENT_MS, PERIOD_MS / 2),
  slot: slotAt(SENT_MS, PERIOD_MS / 2),
  key: seed('second chain'),
};

/** A frame that arrived. */
interface Said {
  readonly type: FrameType;
  readonly data: Buffer;
}

/** One direction of a lane: its bytes, the frames that arrived of them, its secrets one after the other. */
export interface Way {
  readonly sent: Buffer[];
  readonly heard: Said[];
  readonly secrets: Buffer[];
}

const way = (): Way => ({ sent: [], heard: [], secrets: [] });

/** Both ends of a lane that has been accepted; the client has not yet left its early secret. */
export function accepted() {
  const rings = ringsUnder(FIRST);
  const [client, server] = [way(), way()];
  const opening = sealOpening(sendingOf(rings), BLOCK, seed('salt of a lane', SALT_BYTES));
  client.sent.push(opening.bytes);
  client.secrets.push(Buffer.from(opening.secret));
  const attempt = tryOpening(rings.receiver, rings.sources, opening.bytes);
  if (attempt.kind !== 'opened') throw new Error('the opening does not open');
  const { opened } = attempt;
  const confirmed = rings.receiver.confirmation(RECEIVER.sid);
  const reply = sealReply(
    opened,
    { ...(confirmed && { confirmed }) },
    seed('reply salt', SALT_BYTES),
  );
  server.sent.push(reply.bytes);
  server.secrets.push(Buffer.from(reply.s2c));
  const replied = openReply(opening, reply.bytes);
  if (!replied) throw new Error('the reply does not open');
  return { rings, client, server, opening, opened, reply, replied };
}

export type Accepted = ReturnType<typeof accepted>;

const shownChain = ({ id, algorithm, periodMs, slot, key }: LiveChain) => ({
  chainId: id,
  algorithm,
  periodMs,
  slot,
  chain: key,
});

/** What a vector gives of a lane: all that both ends know and sent, at the last at slot time `timeMs`. */
export const knownWith = (client: Way, server: Way, timeMs: number): Members => ({
  domain: DOMAIN,
  cluster: CLUSTER,
  source: SOURCE,
  receiver: RECEIVER,
  pair: PAIR,
  renewed: { sid: RENEWED.sid, pair: RENEWED_PAIR },
  chains: [FIRST, SECOND].map(shownChain),
  timeMs,
  client: concat(...client.sent),
  server: concat(...server.sent),
});

/** As vectors show them. */
export const frames = ({ heard }: Way) => heard.map((frame) => ({ ...frame }));
