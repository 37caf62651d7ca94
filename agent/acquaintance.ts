// Whether this node knows the mesh yet. Until it has heard of every member which pods it has, a destination
// that it does not know may be such a pod, and nobody is to reach that in the clear. Once made it stays:
// a node that joins later has pods that were outside a moment before.
import type { Clock } from '#agent/base/clock.ts';
import type { NodeName } from '#agent/base/brands.ts';

export interface AcquaintanceOptions {
  /** Members of the roster, and whether this node has made up its mind about each. */
  readonly members: () => readonly { readonly node: NodeName; readonly isJudged: boolean }[];
  /** Its accepted statements and its workload directory, if there are some. */
  readonly peer: (
    node: NodeName,
  ) => { readonly accepted: readonly unknown[]; readonly directory: unknown } | undefined;
  readonly clock: Clock;
  readonly periodMs: number;
}

/** Members of which nothing comes are waited for no longer than this, once this node is admitted. */
const PATIENCE_PERIODS = 3;

export class Acquaintance {
  readonly #o: AcquaintanceOptions;
  #isMade = false;
  #sinceMs: number | undefined;

  constructor(options: AcquaintanceOptions) {
    this.#o = options;
  }

  /** Asked anew at each change; `isTrusted`: this node is admitted, so that it knows who is a member. */
  isMade(isTrusted: boolean): boolean {
    this.#isMade ||= isTrusted && this.#decide();
    return this.#isMade;
  }

  #decide(): boolean {
    const { members, peer, clock, periodMs } = this.#o;
    const nowMs = clock.monoMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs > PATIENCE_PERIODS * periodMs) return true;
    return members().every(({ node, isJudged }) => {
      const { accepted = [], directory } = peer(node) ?? {};
      return isJudged && (accepted.length === 0 || directory !== undefined);
    });
  }
}
