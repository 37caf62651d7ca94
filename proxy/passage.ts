// The account of one connection that was let through: who, by which rule, since when, how much, under
// which keys. It counts for the connection and for its worker at once, without allocating. A canary
// has one too, that counts for nobody.
import type { AeadName } from '#proxy/chips/registry.ts';
import type { ChainId } from '#agent/base/brands.ts';
import type { CloseReason, CounterName, CounterRow } from './counters.ts';
import type { Facts, LaneClosed, LaneInfo } from './facts.ts';
import type { Floor } from './floor.ts';

/** What a lane is sealed with. */
export interface Keying {
  readonly id: ChainId;
  readonly aead: AeadName;
}

const NOBODY: CounterRow = { add: () => undefined };

export class Passage {
  /** Rises with each passage of a worker. */
  readonly number: number;
  /** Traffic of a workload; false for a canary, which is neither listed nor counted nor reported. */
  readonly isTraffic: boolean;
  readonly #worker: number;
  readonly #clock: Floor['clock'];
  readonly #counters: CounterRow;
  readonly #facts: Facts;
  readonly #rule: string;
  readonly #openedAt: number;
  readonly #openedMonoMs: number;
  #keying: Keying | undefined;
  #bytesOut = 0;
  #bytesIn = 0;
  #keyUpdates = 0;

  /** `rule`: undefined for a canary; `keying`: undefined where there is no lane. */
  constructor(floor: Floor, facts: Facts, rule: string | undefined, keying?: Keying) {
    this.number = floor.nextNumber();
    this.isTraffic = rule !== undefined;
    this.#worker = floor.worker;
    this.#clock = floor.clock;
    this.#counters = this.isTraffic ? floor.counters : NOBODY;
    this.#facts = facts;
    this.#rule = (rule ?? '').slice(0, 200);
    this.#openedAt = Math.floor(floor.clock.wallMs());
    this.#openedMonoMs = floor.clock.monoMs();
    this.#keying = keying;
  }

  /** Counts what concerns the worker alone. */
  count(name: CounterName, n = 1): void {
    this.#counters.add(name, n);
  }

  /** Bytes of the application on their way out. */
  sent(length: number): void {
    this.#bytesOut += length;
    this.#counters.add('bytesOut', length);
  }

  /** Bytes for the application. */
  received(length: number): void {
    this.#bytesIn += length;
    this.#counters.add('bytesIn', length);
  }

  /** This end seals under another chain, or another slot of the same one. */
  rekeyed(keying: Keying): void {
    this.#keying = keying;
    this.#keyUpdates += 1;
    this.#counters.add('keyUpdates');
  }

  /** Bytes for the application so far. */
  get heard(): number {
    return this.#bytesIn;
  }

  /** Bytes of both directions so far. */
  get moved(): number {
    return this.#bytesIn + this.#bytesOut;
  }

  info(): LaneInfo {
    const keying = this.#keying;
    return {
      ...this.#facts,
      ...this.#carried(),
      openedAt: this.#openedAt,
      ...(keying && { chain: keying.id, aead: keying.aead }),
    };
  }

  /** The account at its end; the time is added by whoever reports it. */
  closed(reason: CloseReason, detail: string): Omit<LaneClosed, 'at'> {
    return {
      ...this.#facts,
      ...this.#carried(),
      kind: 'closed',
      reason,
      ...(detail !== '' && { detail: detail.slice(0, 200) }),
      durationMs: Math.floor(this.#clock.monoMs() - this.#openedMonoMs),
    };
  }

  #carried(): Pick<LaneInfo, 'id' | 'rule' | 'bytesOut' | 'bytesIn' | 'keyUpdates'> {
    return {
      id: `${this.#worker}.${this.number}`,
      rule: this.#rule,
      bytesOut: this.#bytesOut,
      bytesIn: this.#bytesIn,
      keyUpdates: this.#keyUpdates,
    };
  }
}
