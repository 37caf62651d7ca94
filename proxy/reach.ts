// Which peers lanes can be opened to: by the snapshot that every worker uses, not by the newest that was
// published. Who tells an operator that two nodes are in step means that a connection can be made now.
import type { NodeName } from '#agent/base/brands.ts';
import type { Snapshot } from './snapshot.ts';

/** Snapshots that may wait for their acknowledgement; of more the oldest is forgotten, but for the one in use. */
const MAX_WAITING = 64;

interface Told {
  readonly version: number;
  readonly nodes: ReadonlySet<NodeName>;
}

export class Reach {
  /** Oldest first: the one in use, and those that not every worker has acknowledged yet. */
  #told: readonly Told[] = [];

  /** Notes a snapshot that is published while every worker uses the one of version `acked`. */
  tell(
    { version, self, peers }: Pick<Snapshot, 'version' | 'self' | 'peers'>,
    acked: number,
  ): void {
    const open = self.trusted ? peers.filter(({ send }) => !('refused' in send)) : [];
    const nodes = new Set(open.map(({ node }) => node));
    const inUse = this.#inUse(acked);
    const waiting = this.#told.filter((each) => each.version > acked).slice(1 - MAX_WAITING);
    this.#told = [...(inUse ? [inUse] : []), ...waiting, { version, nodes }];
  }

  /** While every worker uses the snapshot of version `acked`; -1: none. */
  nodes(acked: number): ReadonlySet<NodeName> {
    return this.#inUse(acked)?.nodes ?? new Set();
  }

  #inUse(acked: number): Told | undefined {
    return this.#told.findLast(({ version }) => version <= acked);
  }
}
