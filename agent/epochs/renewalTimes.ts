// When this node attests itself anew (PROTOCOL 3.2): before its attestation runs out, where it rests on a record that is
// too old, and again and again while no roster lists it.
import type { Clock } from '#agent/base/clock.ts';
import type { Attestor, RoundResult } from './attestor.ts';
import type { Bus } from './bus.ts';
import type { RecordHistory } from './history.ts';

export interface RenewalTimesOptions {
  readonly attestor: Pick<Attestor, 'restsOn'>;
  readonly bus: Pick<Bus, 'connected'>;
  readonly history: Pick<RecordHistory, 'acceptable'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly periodMs: number;
  readonly renewMs: number;
}

/** A node that is not listed after this many slots asks again. */
const LISTED_WITHIN_SLOTS = 3;
/** Evidence is renewed once it is so many times `renewMs` old, though it was made a moment ago: after an outage. */
const OLD = 1.5;

export class RenewalTimes {
  readonly #o: RenewalTimesOptions;
  /** Monotonic: when the attestation is renewed, and when admission is asked for again. */
  #renewAtMs = 0;
  #askAtMs = 0;
  /** It was renewed while the bus was away: the TPM was asked, but nobody else can know. */
  #owes = false;
  #asked = false;

  constructor(options: RenewalTimesOptions) {
    this.#o = options;
  }

  /** Whether who conducts was asked in the last round. */
  get asked(): boolean {
    return this.#asked;
  }

  /** Somebody may conduct now. */
  askSoon(): void {
    this.#askAtMs = 0;
  }

  /** `isWaiting`: no roster lists what this node would act under. */
  isDue(isWaiting: boolean): boolean {
    const { bus, clock } = this.#o;
    const nowMs = clock.monoMs();
    return (
      nowMs >= this.#renewAtMs ||
      (isWaiting && nowMs >= this.#askAtMs) ||
      (bus.connected && (this.#owes || (this.#isOld() && nowMs >= this.#askAtMs)))
    );
  }

  #isOld(): boolean {
    const { attestor, history, clock, renewMs } = this.#o;
    const { restsOn } = attestor;
    return restsOn !== undefined && !history.acceptable(restsOn, clock.wallMs(), OLD * renewMs);
  }

  /** What came of a round that has just ended. */
  note(result: RoundResult): void {
    const { clock, random, periodMs, renewMs } = this.#o;
    const good = result.outcome === 'attested';
    const nowMs = clock.monoMs();
    const soonMs = nowMs + periodMs / 2; // in effect: at the next slot
    this.#renewAtMs = good ? nowMs + renewMs * (0.9 + 0.1 * random()) : soonMs;
    this.#owes = good && !result.stored;
    this.#asked = good && result.asked;
    this.#askAtMs = this.#asked ? soonMs + LISTED_WITHIN_SLOTS * periodMs : soonMs;
  }
}
