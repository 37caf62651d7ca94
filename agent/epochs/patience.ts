// Whether attestations that have run out count nevertheless: while no record comes nobody can renew one, and for some
// slots after an outage all are about to (PROTOCOL 3.5).
import type { Clock } from '#agent/base/clock.ts';
import type { RecordFollower } from './follower.ts';

export interface PatienceOptions {
  readonly follower: Pick<RecordFollower, 'silenceMs'>;
  readonly clock: Clock;
  readonly periodMs: number;
  readonly maxStalenessMs: number;
}

/** Records are missing, not late, after this many periods without one. */
const SILENT_PERIODS = 3;
/** A node asks for admission again in the first slots, is listed by a record after that, and heard one slot later. */
const GRACE_PERIODS = 8;

export class Patience {
  readonly #o: PatienceOptions;
  /** Monotonic milliseconds. */
  #untilMs = -Infinity;

  constructor(options: PatienceOptions) {
    this.#o = options;
  }

  /** Once in a slot; true: nobody's attestation runs out now. */
  look(): boolean {
    const { follower, clock, periodMs, maxStalenessMs } = this.#o;
    const { silenceMs } = follower;
    if (silenceMs > SILENT_PERIODS * periodMs && silenceMs <= maxStalenessMs) {
      this.#untilMs = clock.monoMs() + GRACE_PERIODS * periodMs;
    }
    return this.isOn;
  }

  /** As it was when last looked. */
  get isOn(): boolean {
    return this.#o.clock.monoMs() < this.#untilMs;
  }
}
