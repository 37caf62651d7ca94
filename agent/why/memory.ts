// What became of the latest connections, by who talked to whom: the last refusal and the last one that
// was carried. Bounded: the pair that was quiet longest is forgotten first.
import type { Facts, LaneEvent } from '#proxy/facts.ts';
import type { LastRefusal } from './facts.ts';

interface Pair {
  refused: LastRefusal | undefined;
  closedAt: number | undefined;
}

/** Which connections are asked about: those that a pod of this node makes. */
export interface PairQuestion {
  readonly podUid: string;
  /** Absent: to anywhere. */
  readonly ips?: readonly string[];
  readonly port?: number | undefined;
}

const MAX_PAIRS = 1_024;

export class ConnectionMemory {
  readonly #pairs = new Map<string, { readonly facts: Facts; readonly pair: Pair }>();

  /** Takes an event of the data plane, which is bounded in length but not trusted in number. */
  note(event: LaneEvent): void {
    const { at, detail } = event;
    const facts = factsOf(event);
    const key = Object.values(facts).join('\n');
    const pair = this.#pairs.get(key)?.pair ?? { refused: undefined, closedAt: undefined };
    if (event.kind === 'closed') pair.closedAt = at;
    else {
      const count = (pair.refused?.count ?? 0) + 1;
      pair.refused = { ...facts, at, reason: event.reason, detail, count };
    }
    this.#pairs.delete(key);
    this.#pairs.set(key, { facts, pair });
    const oldest = this.#pairs.keys().next();
    if (this.#pairs.size > MAX_PAIRS && !oldest.done) this.#pairs.delete(oldest.value);
  }

  /** The newest of what is remembered of such connections. */
  recall(question: PairQuestion): {
    readonly refused?: LastRefusal | undefined;
    readonly closedAt?: number | undefined;
  } {
    let refused: LastRefusal | undefined;
    let closedAt: number | undefined;
    for (const { facts, pair } of this.#pairs.values()) {
      if (!isAbout(question, facts)) continue;
      if (pair.refused && pair.refused.at >= (refused?.at ?? 0)) refused = pair.refused;
      if (pair.closedAt !== undefined) closedAt = Math.max(closedAt ?? 0, pair.closedAt);
    }
    return { refused, closedAt };
  }
}

/** Whether a connection is among those that are asked about. */
export function isAbout({ podUid, ips, port }: PairQuestion, facts: Facts): boolean {
  if (facts.direction === 'in' || facts.podUid !== podUid) return false;
  return [facts.destination, facts.endpoint].some((place = '') => {
    const colon = place.lastIndexOf(':'); // `address:port`, an IPv6 address as it is
    if (ips && !ips.includes(place.slice(0, colon))) return false;
    return port === undefined || Number(place.slice(colon + 1)) === port;
  });
}

const factsOf = ({ direction, podUid, peer, from, to, destination, endpoint }: Facts): Facts => ({
  direction,
  podUid,
  peer,
  from,
  to,
  destination,
  endpoint,
});
