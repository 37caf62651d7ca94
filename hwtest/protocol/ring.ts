// The two ends of a lane as the data plane holds them: the key rings of SOURCE and RECEIVER. They are told
// what a vector gives and nothing else.
import type { ChainId, Sid } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import { KeyRing, type Sending } from '#proxy/keyRing.ts';
import type { LaneEnd } from '#proxy/see/keys.ts';
import type { PeerEnd } from '#proxy/routes.ts';
import { srcRefOf } from '#proxy/see/opening.ts';
import type { LiveChain, Peer, Snapshot } from '#proxy/snapshot.ts';
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

/** The source after its statement was renewed, and `pair(RENEWED, RECEIVER)`. */
export const RENEWED: LaneEnd = { ...SOURCE, sid: hex(seed('renewed sid', 16)) as Sid };
export const RENEWED_PAIR = seed('renewed pair');

/** What both ends know: chains and statements of the source, newest first. */
interface Known {
  readonly chains: readonly LiveChain[];
  readonly sources: readonly LaneEnd[];
}

type View = Pick<Snapshot, 'self' | 'chains' | 'peers'>;

const pairWith = ({ sid }: LaneEnd): Buffer => (sid === RENEWED.sid ? RENEWED_PAIR : PAIR);

/** What the end of these statements knows of the end of those. */
function viewOf({ chains, sources }: Known, end: 'source' | 'receiver'): View {
  const [own, others] = end === 'source' ? [sources, [RECEIVER]] : [[RECEIVER], sources];
  const [newest, self, other] = [chains[0], own[0], others[0]];
  if (!newest || !self || !other) throw new Error('a ring needs a chain and two ends');
  const peer: Peer = {
    node: other.node,
    address: '192.0.2.1',
    port: 15_008,
    statements: others.map(({ sid }) => ({ sid, ed25519: NODE_KEY.public })),
    pairs: own.flatMap((one) =>
      others.map((two) => ({
        ownSid: one.sid,
        peerSid: two.sid,
        secret: pairWith(end === 'source' ? one : two),
      })),
    ),
    send: { chainId: newest.id, ownSid: self.sid, peerSid: other.sid },
  };
  return {
    self: {
      domain: DOMAIN,
      cluster: CLUSTER,
      node: self.node,
      sids: own.map(({ sid }) => sid),
      trusted: true,
      reason: '',
    },
    chains,
    peers: [peer],
  };
}

/** Tells both rings what is known at slot time `timeMs`. */
export function tell({ source, receiver }: Rings, known: Known, timeMs: number): void {
  source.replace(viewOf(known, 'source'), timeMs);
  receiver.replace(viewOf(known, 'receiver'), timeMs);
}

export interface Rings {
  readonly source: KeyRing;
  readonly receiver: KeyRing;
  /** What the receiver knows statements by. */
  readonly sources: (srcRef: string) => readonly PeerEnd[];
}

/** The rings of both ends at SENT_MS, who know `chain` alone. */
export function ringsUnder(chain: LiveChain): Rings {
  const known = { chains: [chain], sources: [SOURCE] };
  const statements = viewOf(known, 'receiver').peers.flatMap((peer) =>
    peer.statements.map((statement) => ({ peer, statement })),
  );
  const rings: Rings = {
    source: new KeyRing(),
    receiver: new KeyRing(),
    sources: (srcRef) => statements.filter(({ statement }) => srcRefOf(statement.sid) === srcRef),
  };
  tell(rings, known, SENT_MS);
  return rings;
}

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
