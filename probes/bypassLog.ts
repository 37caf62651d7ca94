// What is known of each pod that went past its redirect: how often, how much of it was not told one by
// one, and the last of it. Each pod has a place of its own, so that a noisy one hides no other.
import type { BypassEvent, PodWhere } from './events.ts';

/** One pod that has gone past its redirect since the agent started. */
export interface PodBypasses {
  readonly where: PodWhere;
  /** Packets seen, told or not. */
  readonly packets: number;
  /** Of these, packets over the budget: counted in the kernel, their ends unknown. */
  readonly untold: number;
  /** The last events, oldest first. */
  readonly last: readonly BypassEvent[];
}

interface Entry {
  readonly where: PodWhere;
  packets: number;
  untold: number;
  readonly last: BypassEvent[];
}

/** More than a node has pods; of more than that those are forgotten that were quiet the longest. */
const MAX_PODS = 256;
const MAX_EVENTS = 8;

export class BypassLog {
  readonly #pods = new Map<string, Entry>();

  /** Counts packets that were told. */
  count(where: PodWhere, packets: number): void {
    this.#of(where).packets += packets;
  }

  /** Counts packets that were not. */
  countUntold(where: PodWhere, packets: number): void {
    const entry = this.#of(where);
    entry.packets += packets;
    entry.untold += packets;
  }

  keep(event: BypassEvent): void {
    const { last } = this.#of(event.where);
    last.push(event);
    if (last.length > MAX_EVENTS) last.shift();
  }

  /** Every pod, the one that was quiet the longest first. */
  pods(): readonly PodBypasses[] {
    return [...this.#pods.values()].map((entry) => ({ ...entry, last: [...entry.last] }));
  }

  #of(where: PodWhere): Entry {
    const entry = this.#pods.get(where.uid) ?? { where, packets: 0, untold: 0, last: [] };
    this.#pods.delete(where.uid); // so that it becomes the newest
    this.#pods.set(where.uid, entry);
    const [quietest] = this.#pods.keys();
    if (this.#pods.size > MAX_PODS && quietest !== undefined) this.#pods.delete(quietest);
    return entry;
  }
}
