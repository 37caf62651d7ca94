// What is believed of the pods that other nodes announce: nothing that the configuration and the inventory
// of this node know better. Whose claim counts among other nodes is not decided here.
import type { Directory } from '#agent/epochs/directory.ts';
import type { PeerState } from '#agent/epochs/peers.ts';
import type { Inventory } from '#agent/inventory/inventory.ts';
import { Ranges, type Range } from '#proxy/range.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import type { Config } from './config.ts';

/** Where what this node knows itself is read. */
export interface BoundsSources {
  readonly config: {
    readonly lanes: Pick<Config['lanes'], 'address' | 'podNetworks' | 'unmeshedExcept'>;
  };
  readonly inventory: {
    pods(): readonly Pick<ReturnType<Inventory['pods']>[number], 'uid' | 'ips'>[];
    services(): readonly Pick<ReturnType<Inventory['services']>[number], 'ips'>[];
  };
}

type Announced = Directory['pods'][number];

/** The bounds of one moment. */
export class Bounds {
  readonly #uids: ReadonlySet<string>;
  /** By address, whose it is. */
  readonly #taken = new Map<string, string>();
  /** Undefined: everywhere. */
  readonly #networks: Ranges | undefined;

  constructor({ config: { lanes }, inventory }: BoundsSources) {
    const pods = inventory.pods();
    this.#uids = new Set(pods.map(({ uid }) => uid));
    for (const { network } of lanes.unmeshedExcept.filter(isOneHost)) {
      const [host = ''] = network.split('/');
      this.#taken.set(canonicalAddress(host) ?? host, 'lanes.unmeshedExcept names');
    }
    for (const { ips } of inventory.services()) this.#take(ips, 'a service of this node has');
    this.#take([lanes.address], 'this node has for its lanes');
    this.#take(
      pods.flatMap(({ ips }) => ips),
      'a pod of this node has',
    );
    const networks = lanes.podNetworks.map((network) => ({ network, ports: [] }));
    this.#networks = networks.length === 0 ? undefined : new Ranges(networks);
  }

  /** `pods` without addresses out of bounds, and without those that have the uid of a pod of this node. */
  believed(pods: readonly Announced[]): Announced[] {
    return pods
      .filter(({ uid }) => !this.#uids.has(uid))
      .map((pod) => ({ ...pod, ips: pod.ips.filter((ip) => this.#objection(ip) === undefined) }));
  }

  /** What each node announces and is not believed: one sentence for each reason. */
  findings(peers: readonly Pick<PeerState, 'node' | 'directory'>[]): string[] {
    return peers.flatMap(({ node, directory }) => {
      const found = new Map<string, string[]>();
      const note = (why: string, what: string): void => {
        found.set(why, [...(found.get(why) ?? []), what]);
      };
      for (const { uid, ips } of directory?.pods ?? []) {
        if (this.#uids.has(uid)) note('a pod of this node has', `uid ${uid}`);
        for (const ip of ips) {
          const why = this.#objection(ip);
          if (why !== undefined) note(why, ip);
        }
      }
      return [...found].map(([why, [first, ...others]]) => {
        const more = others.length > 0 ? ` and ${others.length} more` : '';
        return `${node} announces ${first}${more}, which ${why}: not believed.`;
      });
    });
  }

  /** Why another node's pod cannot have `ip`, as the end of a sentence; undefined: it can. */
  #objection(ip: string): string | undefined {
    const isOut = this.#networks && !this.#networks.find({ address: ip, port: 0 });
    return this.#taken.get(ip) ?? (isOut ? 'lanes.podNetworks does not hold' : undefined);
  }

  #take(ips: readonly string[], why: string): void {
    for (const ip of ips) this.#taken.set(ip, why);
  }
}

/** A network is one host's where it is an address, or has its whole prefix. */
const isOneHost = ({ network }: Range): boolean =>
  !network.includes('/') || network.endsWith(network.includes(':') ? '/128' : '/32');
