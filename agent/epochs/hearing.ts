// To whose presence and workload directory this node listens: everybody's where it knows the whole cluster, else
// the peers' in use (PROTOCOL 3.9), so that the bus carries to it no more than it needs.
import type { NodeName } from '#agent/base/brands.ts';
import type { Bus, Heard } from './bus.ts';
import { MESSAGE_BYTES, type Subjects } from './subjects.ts';

export interface HearingOptions {
  readonly bus: Pick<Bus, 'subscribe'>;
  readonly subjects: Subjects;
  readonly onPresence: (message: Heard) => void;
  readonly onWorkloads: (message: Heard) => void;
}

type Stop = () => void;

export class Hearing {
  readonly #o: HearingOptions;
  readonly #peers = new Map<NodeName, Stop>();
  #all: Stop | undefined;

  constructor(options: HearingOptions) {
    this.#o = options;
  }

  /** Listens to everybody, or to these alone. */
  listenTo(whom: 'all' | readonly NodeName[]): void {
    const { subjects } = this.#o;
    const { every } = subjects;
    if (whom === 'all') {
      this.#all ??= this.#listen(every.presence, every.workloads);
    } else {
      for (const node of whom) {
        if (!this.#peers.has(node))
          this.#peers.set(node, this.#listen(subjects.presence(node), subjects.workloads(node)));
      }
      this.#all?.();
      this.#all = undefined;
    }
    const wanted = new Set(whom === 'all' ? [] : whom);
    for (const [node, stop] of this.#peers) {
      if (wanted.has(node)) continue;
      stop();
      this.#peers.delete(node);
    }
  }

  #listen(presence: string, workloads: string): Stop {
    const { bus, onPresence, onWorkloads } = this.#o;
    const stops = [
      bus.subscribe(presence, MESSAGE_BYTES.presence, onPresence),
      bus.subscribe(workloads, MESSAGE_BYTES.workloads, onWorkloads),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }
}
