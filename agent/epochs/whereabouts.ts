// Which nodes say on the bus that they have a pod at an address (PROTOCOL 3.9). Hints alone: who is meant is looked
// at as any peer, and what its signed directory says counts.
import type { NodeName } from '#agent/base/brands.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import type { Bus } from './bus.ts';
import { nodeOfToken, type Subjects } from './subjects.ts';

export interface WhereaboutsOptions {
  readonly bus: Pick<Bus, 'publish' | 'subjects'>;
  readonly subjects: Subjects;
  readonly node: NodeName;
}

/** Nodes that claim one address; more are not looked at. */
const MAX_CLAIMS = 8;

export class Whereabouts {
  readonly #o: WhereaboutsOptions;
  readonly #said = new Set<string>();

  constructor(options: WhereaboutsOptions) {
    this.#o = options;
  }

  /** Says of addresses that they are of this node's pods, of each once. */
  async say(ips: readonly string[]): Promise<void> {
    const { bus, subjects, node } = this.#o;
    const addresses = ips.map((ip) => canonicalAddress(ip) ?? ip);
    for (const address of addresses) {
      if (this.#said.has(address)) continue;
      if (!(await bus.publish(subjects.address(address, node), { v: 1 }))) return; // with the next
      this.#said.add(address);
    }
    const present = new Set(addresses);
    for (const address of this.#said) if (!present.has(address)) this.#said.delete(address);
  }

  /** The bus may have lost them, or forgets them soon: everything is said again. */
  repeat(): void {
    this.#said.clear();
  }

  /** Nodes that claim an address; undefined: the bus could not be asked. */
  async claimants(address: string): Promise<readonly NodeName[] | undefined> {
    const { bus, subjects } = this.#o;
    const { address: stream } = subjects.streams;
    const found = await bus.subjects(stream, MAX_CLAIMS, subjects.addressOfAny(address));
    return found?.flatMap((subject) => nodeOfToken(subject.split('.').at(-1) ?? '') ?? []);
  }
}
