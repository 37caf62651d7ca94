// Reads the facts for one question out of the agent's parts. Besides reading it looks at the rules inside
// the pod asked about and tries the peer's lane port once; it decides nothing.
import { asTidelockError, type TidelockError } from '#agent/base/errors.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Why } from '#agent/api/why.ts';
import type { Query } from '#agent/api/control.ts';
import { Bounds, type BoundsSources } from '#agent/bounds.ts';
import type { Captures } from '#agent/captures.ts';
import type { Config } from '#agent/config.ts';
import type { Attestor } from '#agent/epochs/attestor.ts';
import type { PeerState } from '#agent/epochs/peers.ts';
import { epochsOf, type EpochsSources } from '#agent/epochsView.ts';
import { MAX_LANES } from '#agent/lanesView.ts';
import type { Inventory } from '#agent/inventory/inventory.ts';
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import type { DataPlane, DataPlaneStatus } from '#proxy/plane.ts';
import type { CompiledPolicy } from '#proxy/policy.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import { whyOf } from './chain.ts';
import type { Plaintext } from '#proxy/redirect/ruleset.ts';
import type {
  ConnectionFacts,
  OutsideFacts,
  PeerFacts,
  PodFacts,
  Problem,
  WhyFacts,
} from './facts.ts';
import { locate, type Place } from './locate.ts';
import { isAbout, type ConnectionMemory, type PairQuestion } from './memory.ts';
import { readQuestion, type Question } from './question.ts';
import type { reach } from './reach.ts';
import { endpointsOf, type ServiceWorld } from './service.ts';

/** What is read, and no more. */
export interface WhySources extends EpochsSources {
  readonly config: EpochsSources['config'] & {
    readonly lanes: Plaintext &
      Pick<Config['lanes'], 'unmeshed'> &
      BoundsSources['config']['lanes'];
    readonly policy: Pick<Config['policy'], 'mode'>;
  };
  readonly inventory: Pick<Inventory, 'problem' | 'pods' | 'services'>;
  readonly captures: Pick<Captures, 'pods' | 'rules' | 'counts' | 'refusedSources'>;
  readonly attestor: Pick<Attestor, 'state'>;
  readonly policy: () => CompiledPolicy;
  readonly policyProblem: () => TidelockError | undefined;
  readonly dataPlane: () => Pick<DataPlaneStatus, 'state' | 'pid' | 'restarts'>;
  readonly lanes: DataPlane['lanes'];
  readonly memory: Pick<ConnectionMemory, 'recall'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  readonly reach: typeof reach;
}

const REACH_MS = 1_500;

/** Answers `GET /why?pod=...&to=...`. Errors: USAGE. */
export async function answerWhy(from: WhySources, query: Query): Promise<Why> {
  const { pod = '', to } = query;
  const question = readQuestion(pod, to);
  return whyOf(await gather(from, question), question);
}

async function gather(from: WhySources, question: Question): Promise<WhyFacts> {
  const { config, attestor, plane, dataPlane, inventory, policy, clock } = from;
  const pods = from.captures.pods().map(podOf);
  const peers = peersOf(from);
  const services = inventory.services();
  const { unmeshed, unmeshedExcept } = config.lanes;
  const world = { node: config.node, pods, peers, services, unmeshed, unmeshedExcept };
  const source = locate(world, question.pod);
  const target = question.to && locate(world, question.to.name);
  const asked = source.kind === 'nobody' ? target : source;
  const uid = asked?.kind === 'local' ? asked.pod.uid : undefined;
  const lane = laneOf(world, question, target);
  const [rules, outside, reached, connections] = await Promise.all([
    uid === undefined ? undefined : rulesOf(from, uid),
    outsideOf(from, uid),
    lane && from.reach(lane, REACH_MS),
    uid === undefined ? { live: 0 } : connectionsOf(from, pairOf(uid, question, target)),
  ]);
  const { state } = attestor;
  const { state: epochState, text } = epochsOf(from);
  return {
    nowMs: clock.wallMs(),
    inventoryProblem: problemOf(inventory.problem()),
    ...world,
    outside,
    rules,
    dataPlane: dataPlane(),
    self: {
      verdict: state.verdict,
      reason: state.reason,
      hint: state.error?.hint,
      admitted: plane.admitted,
    },
    policy: policy(),
    policyProblem: problemOf(from.policyProblem()),
    policyMode: config.policy.mode,
    epochs: { state: epochState, text },
    reach: reached,
    connections,
  };
}

const podOf = ({
  spec,
  captured,
  error,
  sourceProblem,
}: ReturnType<Captures['pods']>[number]): PodFacts => ({
  uid: spec.uid,
  namespace: spec.namespace,
  name: spec.name,
  spiffeId: spec.spiffeId,
  ips: spec.ips.map(canonical),
  netns: spec.netns,
  captured,
  problem: problemOf(error),
  sourceProblem,
});

function peersOf(from: WhySources): PeerFacts[] {
  const { peers, own, keeper, slots, clock } = from;
  const bounds = new Bounds(from);
  const nowMs = slots.timeMs();
  const sendable = keeper.sendable(nowMs);
  return peers.all().map((peer): PeerFacts => {
    const send = peers.choose(peer, own.listed, sendable, nowMs);
    const chain = 'refused' in send ? undefined : keeper.get(send.chainId);
    return {
      node: peer.node,
      accepted: acceptedOf(peer, clock.wallMs()),
      refused: peer.refused,
      lane: peer.directory?.lane,
      pods: bounds.believed(peer.directory?.pods ?? []).map(({ uid, spiffeId, ips }) => ({
        uid,
        spiffeId,
        ips: ips.map(canonical),
      })),
      send,
      algorithm: chain && chipsAlgorithm(chain.algorithm)?.name,
    };
  });
}

function acceptedOf({ accepted: [newest] }: PeerState, nowMs: number): PeerFacts['accepted'] {
  if (!newest) return undefined;
  const { appraisal, entry } = newest;
  return { verdict: appraisal.verdict, expiresInMs: entry.expiresAt - nowMs };
}

/** The lane port that a connection would go to, if to one. */
function laneOf(
  world: ServiceWorld,
  { to }: Question,
  target: Place | undefined,
): PeerFacts['lane'] {
  if (target?.kind === 'remote') return target.peer.lane;
  if (target?.kind !== 'service') return undefined;
  const place = endpointsOf(world, target.service, to?.port).followed?.place;
  return place?.kind === 'remote' ? place.peer.lane : undefined;
}

/** What cannot be read is left out: the link about the rules says why. */
async function outsideOf(
  { config, captures }: WhySources,
  uid: string | undefined,
): Promise<OutsideFacts> {
  const settings = config.lanes;
  if (uid === undefined) return { settings, refused: [] };
  try {
    return { settings, counts: captures.counts(uid), refused: await captures.refusedSources(uid) };
  } catch {
    return { settings, refused: [] };
  }
}

async function rulesOf({ captures }: WhySources, uid: string): Promise<WhyFacts['rules']> {
  try {
    return await captures.rules(uid);
  } catch (thrown) {
    return problemOf(asTidelockError(thrown, 'why.rules'));
  }
}

function pairOf(podUid: string, { to }: Question, target: Place | undefined): PairQuestion {
  if (!to) return { podUid };
  const ips = (target && addressesOf(target)) ?? [to.name];
  return { podUid, ips, port: to.port };
}

function addressesOf(target: Place): readonly string[] | undefined {
  if ('pod' in target) return target.pod.ips;
  return target.kind === 'service' ? target.service.ips : undefined;
}

/** A data plane that does not answer leaves what is remembered. */
async function connectionsOf(from: WhySources, pair: PairQuestion): Promise<ConnectionFacts> {
  const list = await from.lanes(MAX_LANES);
  const live = (list?.lanes ?? []).filter((lane) => isAbout(pair, lane));
  const openedAt = live.length > 0 ? Math.max(...live.map((lane) => lane.openedAt)) : undefined;
  return { live: live.length, openedAt, ...from.memory.recall(pair) };
}

const problemOf = (error: TidelockError | undefined): Problem | undefined =>
  error && { message: error.message, hint: error.hint };

const canonical = (ip: string): string => canonicalAddress(ip) ?? ip;
