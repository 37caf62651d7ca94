// Service addresses: which endpoint a connection to one goes to. One snapshot's services, indexed; the
// choice allocates nothing. Whether the endpoint may be reached is routes.ts.
import type { Endpoint } from '#proxy/see/address.ts';
import type { Service } from './snapshot.ts';

/** Where a connection to a service address goes, or one clause on why nowhere. */
export type Choice =
  | { readonly endpoint: Endpoint }
  | { readonly endpoint: undefined; readonly why: string };

/** Whether an endpoint can be reached, policy aside; `unknown`: that is to be asked for (Snapshot.asks). */
export type Readiness = 'ready' | 'unknown' | 'out';

interface Candidate {
  readonly endpoint: Endpoint;
  readonly isUnknown: boolean;
  readonly hash: number;
}

interface Port {
  readonly isSticky: boolean;
  readonly candidates: readonly Candidate[];
  /** Said when there is none. */
  readonly none: Choice;
}

interface Entry {
  readonly ports: ReadonlyMap<number, Port>;
  readonly unknownPort: Choice;
}

export class Services {
  readonly #byAddress = new Map<string, Entry>();
  readonly #random: () => number;

  /** Of the endpoints those that are not `out`; `random` gives numbers from 0 to under 1. */
  constructor(
    services: readonly Service[],
    readinessOf: (endpoint: Endpoint) => Readiness,
    random: () => number,
  ) {
    this.#random = random;
    for (const { name, ips, isSticky, ports } of services) {
      const unknownPort: Choice = { endpoint: undefined, why: `${name} has no such port` };
      const portsOf = new Map<number, Port>();
      for (const { port, endpoints } of ports) {
        const candidates = endpoints.flatMap((endpoint): Candidate[] => {
          const readiness = readinessOf(endpoint);
          if (readiness === 'out') return [];
          const hash = hashOf(`${endpoint.address} ${endpoint.port}`);
          return [{ endpoint, hash, isUnknown: readiness === 'unknown' }];
        });
        const why = `${name} has ${endpoints.length} endpoints on port ${port}, none of them ready`;
        portsOf.set(port, { isSticky, candidates, none: { endpoint: undefined, why } });
      }
      for (const ip of ips) this.#byAddress.set(ip, { ports: portsOf, unknownPort });
    }
  }

  /** Whether `address` is a service's. */
  has(address: string): boolean {
    return this.#byAddress.has(address);
  }

  /**
   * Where pod `podUid` comes out at `destination`; undefined: that is no service's address. An unknown
   * endpoint that `isNobodys` is passed over.
   */
  choose(
    podUid: string,
    { address, port }: Endpoint,
    isNobodys: (address: string) => boolean,
  ): Choice | undefined {
    const entry = this.#byAddress.get(address);
    if (!entry) return undefined;
    const found = entry.ports.get(port);
    if (!found) return entry.unknownPort;
    const { candidates, isSticky, none } = found;
    if (isSticky) return highest(candidates, hashOf(podUid), isNobodys) ?? none;
    return firstFrom(candidates, Math.floor(this.#random() * candidates.length), isNobodys) ?? none;
  }
}

const isOut = (
  { isUnknown, endpoint }: Candidate,
  isNobodys: (address: string) => boolean,
): boolean => isUnknown && isNobodys(endpoint.address);

/** The candidate at `start`, or the next one after it, round the end. */
function firstFrom(
  candidates: readonly Candidate[],
  start: number,
  isNobodys: (address: string) => boolean,
): Candidate | undefined {
  for (let step = 0; step < candidates.length; step += 1) {
    const candidate = candidates[(start + step) % candidates.length];
    if (candidate && !isOut(candidate, isNobodys)) return candidate;
  }
  return undefined;
}

/**
 * Rendezvous hashing: every worker, and every data plane after this one, finds the same endpoint for the
 * same pod without a table, and an endpoint that goes moves only those who were with it.
 */
function highest(
  candidates: readonly Candidate[],
  client: number,
  isNobodys: (address: string) => boolean,
): Candidate | undefined {
  let best: Candidate | undefined;
  let bestScore = -1;
  for (const candidate of candidates) {
    const score = mixed(candidate.hash ^ client);
    if (score <= bestScore || isOut(candidate, isNobodys)) continue;
    best = candidate;
    bestScore = score;
  }
  return best;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash;
}

/** The finaliser of MurmurHash3: every bit of the input moves half of the output. */
function mixed(hash: number): number {
  const a = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b ^ (b >>> 16)) >>> 0;
}
