// The two ends of a lane as the data plane holds them: the key rings of SOURCE and RECEIVER. They are told
// what a vector gives and nothing else.
import type { ChainId } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { KeyRing, type Sending } from '#proxy/keyRing.ts';
import type { LaneEnd } from '#proxy/see/keys.ts';
import type { PeerEnd } from '#proxy/routes.ts';
import { srcRefOf } from '#proxy/see/opening.ts';
import type { LiveChain, Peer, SelfState } from '#proxy/snapshot.ts';
import {
  CHAIN,
  CLUSTER,
  DOMAIN,
  PAIR,
  PERIOD_MS,
  RECEIVER,
  SENT_MS,
  SLOT,
  SOURCE,
  seed,
} from './cast.ts';
import { NODE_KEY } from './maid.ts';

/** Chain `c` of the vectors under a CHIPS algorithm. */
export const chainUnder = (algorithm: number): LiveChain => ({
  id: hex(seed('chain id', 16)) as ChainId,
  generation: 1,
  epoch: 1,
  periodMs: PERIOD_MS,
  algorithm,
  atSlot: SLOT,
  slot: SLOT,
  key: CHAIN,
});

const peerOf = (own: LaneEnd, other: LaneEnd, chain: LiveChain): Peer => ({
  node: other.node,
  address: '192.0.2.1',
  port: 15_008,
  statements: [{ sid: other.sid, ed25519: NODE_KEY.public }],
  pairs: [{ ownSid: own.sid, peerSid: other.sid, secret: PAIR }],
  send: { chainId: chain.id, ownSid: own.sid, peerSid: other.sid },
});

/** What `own` knows of `other`; the first chain is the newest. */
function viewOf(own: LaneEnd, other: LaneEnd, chains: readonly LiveChain[]) {
  const [newest] = chains;
  if (!newest) throw new Error('a ring needs a chain');
  const self: SelfState = {
    domain: DOMAIN,
    cluster: CLUSTER,
    node: own.node,
    sids: [own.sid],
    trusted: true,
    reason: '',
  };
  return { self, chains, peers: [peerOf(own, other, newest)] };
}

/** The rings of both ends at SENT_MS, and what the receiver knows statements by. */
export function ringsUnder(chains: readonly LiveChain[]) {
  const [source, receiver] = [new KeyRing(), new KeyRing()];
  source.replace(viewOf(SOURCE, RECEIVER, chains), SENT_MS);
  const seen = viewOf(RECEIVER, SOURCE, chains);
  receiver.replace(seen, SENT_MS);
  const statements = seen.peers.flatMap((peer) =>
    peer.statements.map((statement) => ({ peer, statement })),
  );
  const sources = (srcRef: string): readonly PeerEnd[] =>
    statements.filter(({ statement }) => srcRefOf(statement.sid) === srcRef);
  return { source, receiver, sources };
}

export type Rings = ReturnType<typeof ringsUnder>;

/** What the source seals lanes to the receiver with. Errors: Error when its ring has no key. */
export function sendingOf({ source }: Rings): Sending {
  const sending = source.sending(RECEIVER.node);
  if ('refused' in sending) throw new Error(sending.refused);
  return sending;
}

/** What both ends of an opening know before its first byte, as vectors give it. */
export const contextUnder = (algorithm: number) => ({
  domain: DOMAIN,
  cluster: CLUSTER,
  source: SOURCE,
  receiver: RECEIVER,
  pair: PAIR,
  chain: CHAIN,
  algorithm,
  periodMs: PERIOD_MS,
  slot: SLOT,
});
