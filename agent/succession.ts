// Between two control planes: the data plane that the new one took over goes on with what the old one
// told it, until the new one knows as much. A snapshot given too early would say that nobody is
// trusted, and cut every lane.
import type { Clock } from '#agent/base/clock.ts';
import type { NodeName } from '#agent/base/brands.ts';
import type { Snapshot } from '#proxy/snapshot.ts';

export interface SuccessionOptions {
  /** True while the data plane runs that an earlier control plane started. */
  readonly inherits: () => boolean;
  /** True when this node's own attestation failed: its lanes must not go on, whoever opened them. */
  readonly failed: () => boolean;
  /** Members of the roster, and whether this node has made up its mind about each. */
  readonly members: () => readonly { readonly node: NodeName; readonly isJudged: boolean }[];
  readonly clock: Clock;
  readonly periodMs: number;
}

/** Members that cannot be judged, for want of their evidence, are waited for no longer. */
const PATIENCE_PERIODS = 3;

/** Whatever is wanting, nothing is withheld for longer: it may be that a peer was revoked. */
const LIMIT_PERIODS = 12;

export class Succession {
  readonly #o: SuccessionOptions;
  #isOver = false;
  #sinceMs: number | undefined;
  #trustedSinceMs: number | undefined;

  constructor(options: SuccessionOptions) {
    this.#o = options;
  }

  /** Whether the data plane is to be given this snapshot; once true, always. */
  admits(snapshot: Snapshot): boolean {
    this.#isOver ||= this.#decide(snapshot);
    return this.#isOver;
  }

  #decide({ self }: Snapshot): boolean {
    const { inherits, failed, members, clock, periodMs } = this.#o;
    if (!inherits() || failed()) return true;
    const nowMs = clock.monoMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs > LIMIT_PERIODS * periodMs) return true;
    if (!self.trusted) return false;
    this.#trustedSinceMs ??= nowMs;
    if (nowMs - this.#trustedSinceMs > PATIENCE_PERIODS * periodMs) return true;
    return members().every(({ isJudged }) => isJudged);
  }
}
