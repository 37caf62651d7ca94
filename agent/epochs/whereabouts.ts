// Which nodes say on the bus that they have a pod at an address (PROTOCOL 3.9). Hints alone: who is meant is looked
// at as any peer, and what its signed directory says counts.
import type { NodeName } from '#agent/base/brands.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Bus } from './bus.ts';
import { speakerOn, type Subjects } from './subjects.ts';

export interface WhereaboutsOptions {
  readonly bus: Pick<Bus, 'publish' | 'subjects'>;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly node: NodeName;
  /** The stream keeps what was said for twice this. */
  readonly maxStalenessMs: number;
}

/** Nodes that claim one address; more are not looked at. */
const MAX_CLAIMS = 8;

export class Whereabouts {
  readonly #o: WhereaboutsOptions;
  /** By address, when it was said, monotonic milliseconds. */
  readonly #saidAtMs = new Map<string, number>();

  constructor(options: WhereaboutsOptions) {
    this.#o = options;
  }

  /** Says of addresses that they are of this node's pods, of each once and again before it is forgotten. */
  async say(ips: readonly string[]): Promise<void> {
    const { bus, subjects, clock, node, maxStalenessMs } = this.#o;
    const nowMs = clock.monoMs();
    const addresses = ips.map((ip) => canonicalAddress(ip) ?? ip);
    for (const address of addresses) {
      if (nowMs - (this.#saidAtMs.get(address) ?? -Infinity) < maxStalenessMs) continue;
      if (!(await bus.publish(subjects.address(address, node), { v: 1 }))) return; // with the next
      this.#saidAtMs.set(address, nowMs);
    }
    const present = new Set(addresses);
    for (const address of this.#saidAtMs.keys()) {
      if (!present.has(address)) this.#saidAtMs.delete(address);
    }
  }

  /** The bus may have lost them: everything is said again. */
  repeat(): void {
    this.#saidAtMs.clear();
  }

  /** Nodes that claim an address; undefined: the bus could not be asked. */
  async claimants(address: string): Promise<readonly NodeName[] | undefined> {
    const { bus, subjects } = this.#o;
    const { address: stream } = subjects.streams;
    const found = await bus.subjects(stream, MAX_CLAIMS, subjects.addressOfAny(address));
    return found?.flatMap((subject) => speakerOn(subject) ?? []);
  }
}
