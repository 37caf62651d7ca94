// What the bench measures, in which order, of which subjects and for how long: the rows that `--only`
// chooses among. How each is measured stands in measure.ts, rotation.ts and memory.ts.
import { FIGURES, type Values } from './figures.ts';
import {
  bulk,
  newConnections,
  pacedRequests,
  requests,
  roundTrip,
  type Effort,
} from './measure.ts';
import { withoutOffloads } from './offloads.ts';
import { measureRotation, rotationSeconds } from './rotation.ts';
import type { Subject } from './subject.ts';

/** What a measurement of one subject may look at. */
export interface Setting {
  readonly effort: Effort;
  /** Everything that is there, measured or not. */
  readonly present: readonly Subject[];
  /** Slots of `rotation` in this run. */
  readonly rotations: number;
}

export interface Measurement {
  readonly name: string;
  /** As the progress line says it. */
  readonly label: string;
  /** Names of the main subjects that it is about; absent: all. Variants of lanes always belong. */
  readonly of?: readonly string[];
  /** About how long it takes for one subject. */
  seconds(setting: Pick<Setting, 'effort' | 'rotations'>): number;
  /** Holds while all subjects are measured. */
  around?(present: readonly Subject[]): Promise<AsyncDisposable>;
  measure(subject: Subject, setting: Setting): Promise<Values>;
}

/** Starting a load and reading its answer. */
const START_SECONDS = 0.4;
/** Direct, lanes and each kind of peer once: handshakes are no part of what is measured. */
const ONE_OF_EACH = ['direct', 'relay', 'tidelock', 'haproxy', 'nginx', 'stunnel', 'wireguard'];
const WITHOUT_RELAY = ONE_OF_EACH.filter((name) => name !== 'relay');
/** Those for which offloads decide most. */
const STREAMS = ['direct', 'tidelock', 'haproxy', 'nginx'];

const ofBulk = ({ effort }: Pick<Setting, 'effort'>): number => effort.bulkSeconds + START_SECONDS;
const ofRequests = ({ effort }: Pick<Setting, 'effort'>): number =>
  effort.requestSeconds + START_SECONDS;

const bulkOf = (flows: 1 | 8 | 32): Measurement => ({
  name: `bulk${flows}`,
  label: FIGURES[`bulk${flows}`].label,
  of: ONE_OF_EACH,
  seconds: ofBulk,
  measure: async (subject, { effort }) => {
    const { gbits, cpuPerGbit } = await bulk(subject, flows, effort);
    return { [`bulk${flows}`]: gbits, ...(cpuPerGbit && { [`cpu${flows}`]: cpuPerGbit }) };
  },
});

const reverseOf = (flows: 1 | 8): Measurement => ({
  name: `reverse${flows}`,
  label: FIGURES[`reverse${flows}`].label,
  of: WITHOUT_RELAY,
  seconds: ofBulk,
  measure: async (subject, { effort }) => ({
    [`reverse${flows}`]: (await bulk(subject, flows, effort, true)).gbits,
  }),
});

const bareOf = (flows: 1 | 8): Measurement => ({
  name: `bare${flows}`,
  label: FIGURES[`bare${flows}`].label,
  of: STREAMS,
  seconds: ofBulk,
  around: (present) => withoutOffloads([...new Set(present.map(({ rig }) => rig))]),
  measure: async (subject, { effort }) => ({
    [`bare${flows}`]: (await bulk(subject, flows, effort)).gbits,
  }),
});

const requestsOf = (count: 32 | 128): Measurement => ({
  name: `requests${count}`,
  label: FIGURES[`requests${count}`].label,
  of: WITHOUT_RELAY,
  seconds: ofRequests,
  measure: async (subject, { effort }) => {
    const { perSecond, p99Us } = await requests(subject, count, effort);
    return { [`requests${count}`]: perSecond, [`requests${count}P99`]: p99Us };
  },
});

/** Of everything that lanes are compared with, in each run. */
export const COMPARED: readonly Measurement[] = [
  bulkOf(1),
  bulkOf(8),
  bulkOf(32),
  reverseOf(1),
  reverseOf(8),
  {
    name: 'connections',
    label: 'new connections',
    seconds: ({ effort }) => effort.connectionSeconds + START_SECONDS,
    measure: (subject, { effort }) => newConnections(subject, effort),
  },
  {
    name: 'roundtrip',
    label: 'round trips',
    of: ONE_OF_EACH,
    seconds: ({ effort }) => effort.roundTrips / 8000 + START_SECONDS,
    measure: async (subject, { effort }) => {
      const { p50Us, p99Us } = await roundTrip(subject, effort);
      return { rttP50: p50Us, rttP99: p99Us };
    },
  },
  {
    name: 'paced',
    label: 'requests at a fixed rate',
    of: ONE_OF_EACH,
    seconds: ofRequests,
    measure: async (subject, { effort }) => {
      const { p50Us, p99Us } = await pacedRequests(subject, effort);
      return { pacedP50: p50Us, pacedP99: p99Us };
    },
  },
  requestsOf(32),
  requestsOf(128),
  bareOf(1),
  bareOf(8),
];

/** Of lanes with each cipher, beside each other. */
export const CIPHERS: Measurement = {
  name: 'ciphers',
  label: 'ciphers of lanes',
  of: ['tidelock'],
  seconds: (setting) => ofBulk(setting) + setting.effort.roundTrips / 8000 + START_SECONDS,
  measure: async (subject, { effort }) => {
    const { gbits } = await bulk(subject, 1, effort);
    const { p50Us, p99Us } = await roundTrip(subject, effort);
    return { cipherBulk: gbits, cipherP50: p50Us, cipherP99: p99Us };
  },
};

/** Of lanes with a short period and with a long one, each while the other stands still. */
export const ROTATION: Measurement = {
  name: 'rotation',
  label: 'requests under rotation',
  of: ['tidelock'],
  seconds: ({ rotations }) => rotationSeconds(rotations),
  measure: (subject, { present, rotations }) => measureRotation(subject, present, rotations),
};

/** Once, before everything else. */
export const MEMORY = 'memory';

/** Everything that `--only` takes. */
export const MEASUREMENT_NAMES: readonly string[] = [
  MEMORY,
  ...COMPARED.map(({ name }) => name),
  CIPHERS.name,
  ROTATION.name,
];
