// What `GET /lanes` answers: live connections by name, filtered where asked, with totals and refusals. It
// reads the data plane's list and counters and changes nothing.
import type { Query } from '#agent/api/control.ts';
import type { Lanes } from '#agent/api/lanes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { didYouMean } from '#agent/yaml/suggest.ts';
import { REFUSALS, type CounterTotals } from '#proxy/counters.ts';
import type { LaneInfo } from '#proxy/facts.ts';
import type { DataPlane } from '#proxy/plane.ts';
import type { Captures } from './captures.ts';
import type { Config } from './config.ts';

export interface LanesSources {
  readonly config: Pick<Config, 'node'>;
  readonly captures: Pick<Captures, 'pods'>;
  readonly peers: { all(): readonly { readonly node: string }[] };
  readonly counters: () => CounterTotals;
  /** Gives nothing when no data plane answers. */
  readonly lanes: DataPlane['lanes'];
  readonly clock: Pick<Clock, 'wallMs'>;
}

/** Live connections in one answer. */
export const MAX_LANES = 1_000;

/**
 * Answers `GET /lanes?pod=...&peer=...`, `pod` being `namespace/name` or a uid.
 * Errors: USAGE for a pod or peer that this node does not know and of which no lane lives.
 */
export async function answerLanes(from: LanesSources, { pod, peer }: Query): Promise<Lanes> {
  const { config, clock, lanes, counters } = from;
  const list = await lanes(MAX_LANES);
  const names = new Map(
    from.captures.pods().map(({ spec }) => [spec.uid, `${spec.namespace}/${spec.name}`]),
  );
  const nowMs = clock.wallMs();
  const wanted = (list?.lanes ?? [])
    .filter(({ podUid = '' }) => pod === undefined || pod === podUid || pod === names.get(podUid))
    .filter((lane) => peer === undefined || lane.peer === peer);
  const odd = oddity(from, names, pod, peer);
  if (list && wanted.length === 0 && odd !== undefined) throw nothingCalled(odd);
  const note = list ? odd : 'the data plane does not answer';
  return {
    node: config.node,
    filter: { ...(pod === undefined ? {} : { pod }), ...(peer === undefined ? {} : { peer }) },
    ...(note === undefined ? {} : { note }),
    lanes: wanted.map((lane) => laneOf(lane, names, nowMs)),
    omitted: list?.omitted ?? 0,
    silentWorkers: list?.silent ?? 0,
    draining: list?.draining ?? 0,
    ...totalsOf(counters()),
  };
}

function laneOf(
  { podUid, openedAt, ...lane }: LaneInfo,
  names: ReadonlyMap<string, string>,
  nowMs: number,
): Lanes['lanes'][number] {
  const pod = podUid === undefined ? undefined : (names.get(podUid) ?? podUid);
  return {
    ...lane,
    ...(pod === undefined ? {} : { pod }),
    openedAt,
    ageMs: Math.max(0, nowMs - openedAt),
  };
}

/** A filter that can match nothing is a slip of the hand more often than not. */
function oddity(
  { peers, config }: LanesSources,
  names: ReadonlyMap<string, string>,
  pod: string | undefined,
  peer: string | undefined,
): string | undefined {
  const pods = [...names.values()];
  if (pod !== undefined && !names.has(pod) && !pods.includes(pod)) {
    return `${pod} is no pod of ${config.node}${didYouMean(pod, pods)}`;
  }
  const nodes = peers.all().map(({ node }) => node);
  if (peer !== undefined && !nodes.includes(peer)) {
    return `${peer} is no peer of ${config.node}${didYouMean(peer, nodes)}`;
  }
  return undefined;
}

const nothingCalled = (odd: string): TidelockError =>
  new TidelockError('USAGE', {
    op: 'lanes.list',
    message: `Cannot list lanes: ${odd}`,
    hint: 'tidelock status lists the pods and the peers of this node.',
  });

const totalsOf = (totals: CounterTotals): Pick<Lanes, 'totals' | 'refused'> => ({
  totals: {
    active: totals.active,
    openedOut: totals.lanesOpenedOut,
    openedIn: totals.lanesOpenedIn,
    sameNode: totals.lanesSameNode,
    plainOut: totals.plainOut,
    bytesOut: totals.bytesOut,
    bytesIn: totals.bytesIn,
    keyUpdates: totals.keyUpdates,
  },
  refused: Object.fromEntries(
    REFUSALS.map((reason) => [reason, totals[`refused.${reason}`]] as const).filter(
      ([, count]) => count > 0,
    ),
  ),
});
