// What `GET /epochs` answers: conductor, slot, chains, who confirmed them, and how an outage stands. A
// reading of the epoch plane's parts at one moment; it changes nothing.
import { slotAt, slotPlus, type ChainId } from '#agent/base/brands.ts';
import type { Epochs } from '#agent/api/epochs.ts';
import { duration } from '#agent/api/units.ts';
import type { Bus } from '#agent/epochs/bus.ts';
import type { Conductor } from '#agent/epochs/conductor.ts';
import type { RecordFollower } from '#agent/epochs/follower.ts';
import type { Chain, ChainKeeper } from '#agent/epochs/keeper.ts';
import type { Lease } from '#agent/epochs/lease.ts';
import type { OwnStatements } from '#agent/epochs/ownStatements.ts';
import type { PeerBook, PeerState } from '#agent/epochs/peers.ts';
import type { EpochPlane } from '#agent/epochs/plane.ts';
import { SLOTS_AHEAD } from '#agent/epochs/record.ts';
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import type { SlotClock } from '#proxy/chips/slotClock.ts';
import type { Config } from './config.ts';
import type { EventRing } from './log.ts';

/** What is read of each part, and no more. */
export interface EpochsSources {
  readonly config: Pick<Config, 'node' | 'epochs'>;
  readonly plane: Pick<EpochPlane, 'admitted' | 'stale' | 'seen'>;
  readonly keeper: Pick<ChainKeeper, 'chains' | 'inEffect' | 'sendable' | 'get'>;
  readonly peers: Pick<PeerBook, 'all' | 'choose'>;
  readonly own: Pick<OwnStatements, 'listed'>;
  readonly bus: Pick<Bus, 'connected' | 'server' | 'problem'>;
  readonly conductor: Pick<Conductor, 'leading'>;
  readonly lease: Pick<Lease, 'holder' | 'kept' | 'problem'>;
  readonly follower: Pick<RecordFollower, 'newest' | 'silenceMs' | 'accepted' | 'refused'>;
  readonly slots: Pick<SlotClock, 'timeMs' | 'untilNextMs'>;
  readonly events: Pick<EventRing, 'events'>;
  /** In effect: the configured one, or the owners' shorter one. */
  readonly maxStalenessMs: number;
  readonly renewMs: number;
}

/** Older chains are kept for as long as staleness is allowed; the newest say what is going on. */
const SHOWN_CHAINS = 16;
const SHOWN_EVENTS = 12;
const ABOUT_EPOCHS =
  /^(record|conductor|lease|chains|clock|peer|presence|directory|slot|node|bus)\.|^(BUS|KUBE)_/;
/** Without a record for this many periods the conductor is missing, not late. */
const SILENT_PERIODS = 3;

export function epochsOf(from: EpochsSources): Epochs {
  const { config, plane, keeper, peers, bus, conductor, follower, lease, slots, events } = from;
  const { newest } = follower;
  const nowMs = slots.timeMs();
  const [current] = keeper.inEffect(nowMs);
  const chains = keeper.chains();
  const periodMs = current?.periodMs ?? config.epochs.periodMs;
  const silenceMs = Number.isFinite(follower.silenceMs) ? follower.silenceMs : undefined;
  const holder = conductor.leading ? config.node : (newest?.conductor.node ?? lease.holder?.node);
  return {
    node: config.node,
    ...stateOf(from, nowMs),
    ...(holder ? { conductor: holder } : {}),
    isConductor: conductor.leading,
    term: newest?.term ?? 0,
    generation: current?.generation ?? 0,
    epoch: current?.epoch ?? 0,
    slot: slotAt(nowMs, periodMs),
    periodMs,
    nextSlotInMs: Math.round(slots.untilNextMs(periodMs)),
    // Every member renews within renewMs, and a generation begins once all have (PROTOCOL 4).
    healsWithinMs: 2 * from.renewMs,
    chains: chains
      .slice(0, SHOWN_CHAINS)
      .map((chain) => chainOf(peers.all(), chain, current, nowMs)),
    chainsLeftOut: Math.max(0, chains.length - SHOWN_CHAINS),
    records: {
      accepted: follower.accepted,
      refused: follower.refused,
      ...(silenceMs === undefined ? {} : { ageMs: Math.round(silenceMs) }),
    },
    bus: {
      connected: bus.connected,
      ...(bus.server === undefined ? {} : { server: bus.server }),
      ...(bus.problem ? { problem: bus.problem.message } : {}),
    },
    lease: {
      kept: lease.kept,
      ...(lease.holder ? { holder: lease.holder.node } : {}),
      ...(lease.problem ? { problem: lease.problem.message } : {}),
    },
    staleness: {
      maxMs: from.maxStalenessMs,
      ...(isSilent(from) && silenceMs !== undefined
        ? { inMs: Math.max(0, Math.round(from.maxStalenessMs - silenceMs)) }
        : {}),
      onStale: config.epochs.onStale,
    },
    peers: peers.all().map((peer) => peerOf(from, peer, nowMs)),
    seen: {
      slots: plane.seen.slots,
      chains: plane.seen.chains,
      algorithms: plane.seen.algorithms.map(algorithmName),
    },
    events: events
      .events()
      .filter(({ code }) => ABOUT_EPOCHS.test(code))
      .slice(-SHOWN_EVENTS)
      .map((event) => ({ ...event })),
  };
}

const algorithmName = (id: number): string => chipsAlgorithm(id)?.name ?? `#${id}`;

const isSilent = ({ follower, config }: EpochsSources): boolean =>
  follower.silenceMs > SILENT_PERIODS * config.epochs.periodMs;

/** The one state that matters most, and its sentence. */
function stateOf(from: EpochsSources, nowMs: number): Pick<Epochs, 'state' | 'text'> {
  const { config, plane, keeper, bus, follower, maxStalenessMs } = from;
  const { newest, silenceMs } = follower;
  if (!newest) {
    const why = bus.connected ? 'no conductor has published one yet' : 'the bus is not reachable';
    return { state: 'waiting', text: `waiting for the first epoch record: ${why}` };
  }
  const since = `no epoch record for ${duration(silenceMs)}`;
  if (plane.stale) {
    const live = config.epochs.onStale === 'closed' ? 'live lanes are cut' : 'live lanes go on';
    return { state: 'stale', text: `${since}: no lane can be opened, ${live}` };
  }
  if (isSilent(from) || !bus.connected) {
    const left = duration(Math.max(0, maxStalenessMs - silenceMs));
    const what = bus.connected ? 'nobody conducts' : 'the bus is not reachable';
    return {
      state: 'outage',
      text: `${what}, ${since}; chains tick on and lanes go on, for ${left} more`,
    };
  }
  if (!plane.admitted) {
    return { state: 'not-admitted', text: 'the newest roster does not list this node' };
  }
  if (!keeper.get(newest.chainId) || keeper.inEffect(nowMs).length === 0) {
    return { state: 'behind', text: 'the newest chain is not here yet; it will be asked for' };
  }
  return { state: 'in-step', text: 'records come, the newest chain is here' };
}

function chainOf(
  peers: readonly PeerState[],
  chain: Chain,
  current: Chain | undefined,
  nowMs: number,
): Epochs['chains'][number] {
  const accepted = peers.filter((peer) => peer.accepted.length > 0);
  const [has, lacks] = parted(accepted, (peer) => peer.confirmed.has(chain.id));
  const inMs = chain.atSlot * chain.periodMs - nowMs;
  const { id, generation, term, epoch, begins, atSlot } = chain;
  return {
    id,
    generation,
    term,
    epoch,
    begins,
    algorithm: algorithmName(chain.algorithm),
    atSlot,
    state: inMs > 0 ? 'next' : id === current?.id ? 'newest' : 'older',
    ...(inMs > 0 ? { inEffectInMs: Math.round(inMs) } : {}),
    confirmedBy: has.map(({ node }) => node),
    awaiting: lacks.map(({ node }) => node),
  };
}

function peerOf(
  { peers, own, keeper }: EpochsSources,
  peer: PeerState,
  nowMs: number,
): Epochs['peers'][number] {
  const inEffect = keeper.inEffect(nowMs);
  const send = peers.choose(peer, own.listed, keeper.sendable(nowMs), nowMs);
  return {
    node: peer.node,
    verdict: peer.accepted[0]?.appraisal.verdict ?? 'none',
    ...('refused' in send
      ? { refused: send.refused }
      : { sendChain: send.chainId, behind: placeOf(inEffect, send.chainId) }),
    ...(peer.presence
      ? {
          presenceAgeMs: Math.round(nowMs - peer.presence.receivedMs),
          clockOffsetMs: peer.presence.clockOffsetMs,
          ...shownOf(peer, keeper),
        }
      : {}),
  };
}

/** How far a peer has come, by the newest chain of those held here that it has shown. */
function shownOf(
  { confirmed }: PeerState,
  keeper: Pick<ChainKeeper, 'chains'>,
): Pick<Epochs['peers'][number], 'epochsBehind' | 'lagMs'> {
  const chains = keeper.chains();
  const epochsBehind = chains.findIndex(({ id }) => confirmed.has(id));
  const chain = chains[epochsBehind];
  if (!chain) return {};
  const announcedMs = slotPlus(chain.atSlot, -SLOTS_AHEAD) * chain.periodMs;
  return { epochsBehind, lagMs: Math.round((confirmed.get(chain.id) ?? 0) - announcedMs) };
}

const placeOf = (chains: readonly Chain[], id: ChainId): number =>
  chains.findIndex((chain) => chain.id === id);

function parted<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
