// What `npm run bench -- epochs` found, and its Markdown page. Pure.
import type { HostFacts } from './hostFacts.ts';

export interface Took {
  readonly p50: number;
  readonly max: number;
}

/** One size of cluster. */
export interface EpochsRow {
  readonly agents: number;
  readonly peers: number;
  readonly periodMs: number;
  readonly renewMs: number;
  /** Records that were timed. */
  readonly records: number;
  /** From the publication of a record until the last agent had taken it. */
  readonly recordMs: Took;
  readonly generations: number;
  /** From the publication of a generation's record until the last agent had its root. */
  readonly generationMs: Took;
  readonly conductor: Use;
  /** One of all others. */
  readonly agent: Use;
  readonly bus: Use & {
    readonly inMessagesPerSecond: number;
    readonly outMessagesPerSecond: number;
    readonly inBytesPerSecond: number;
    readonly outBytesPerSecond: number;
  };
}

interface Use {
  /** Of one core. */
  readonly corePercent: number;
  readonly mebibytes: number;
}

export interface EpochsBench {
  readonly kind: 'EpochsBench';
  readonly machine: HostFacts;
  readonly rows: readonly EpochsRow[];
}

const COLUMNS: readonly (readonly [string, (row: EpochsRow) => string])[] = [
  ['agents', ({ agents }) => String(agents)],
  ['peers that an agent uses, that it hears', ({ peers }) => `${peers}, ${2 * peers}`],
  ['slot, s', ({ periodMs }) => String(periodMs / 1000)],
  ['records, generations', ({ records, generations }) => `${records}, ${generations}`],
  ['record to last agent, ms: median (worst)', ({ recordMs }) => took(recordMs)],
  ['generation to last agent, ms: median (worst)', ({ generationMs }) => took(generationMs)],
  ['conductor: core, MiB', ({ conductor }) => use(conductor)],
  ['an agent: core, MiB', ({ agent }) => use(agent)],
  ['nats-server: core, MiB', ({ bus }) => use(bus)],
  [
    'messages a second to the bus, from it',
    ({ bus }) => pair(bus.inMessagesPerSecond, bus.outMessagesPerSecond),
  ],
  [
    'KiB a second to the bus, from it',
    ({ bus }) => pair(bus.inBytesPerSecond / 1024, bus.outBytesPerSecond / 1024),
  ],
  ['messages an agent a slot, from the bus', (row) => perAgent(row)],
  ['processor time an agent a slot, ms', (row) => cpuPerSlot(row).toFixed(1)],
  ['the same of a core, with slots of 5 s', (row) => `${(cpuPerSlot(row) / 50).toFixed(2)}%`],
];

const took = ({ p50, max }: Took): string => `${Math.round(p50)} (${Math.round(max)})`;
const use = ({ corePercent, mebibytes }: Use): string =>
  `${corePercent.toFixed(corePercent < 10 ? 2 : 0)}%, ${mebibytes.toFixed(mebibytes < 10 ? 1 : 0)}`;
const pair = (to: number, from: number): string => `${Math.round(to)}, ${Math.round(from)}`;
const perAgent = ({ bus, agents, periodMs }: EpochsRow): string =>
  ((bus.outMessagesPerSecond * periodMs) / 1000 / agents).toFixed(1);

const cpuPerSlot = ({ agent, periodMs }: EpochsRow): number => (agent.corePercent / 100) * periodMs;

export function epochsPage({ machine, rows }: EpochsBench): string {
  const [first] = rows;
  if (!first) return '';
  return [
    '# Epochs of large clusters',
    '',
    'Made by `npm run bench -- epochs`: virtual agents with the epoch plane of the product, each with a connection of',
    'its own to one real nats-server, all on the cores of one machine: a process for the conductor, two for all other',
    'agents. Left out are TPM, evidence (docs/bench/evidence.md says what that costs), data planes and TLS. Each agent has',
    'a pod, and uses as peers some nodes, which it found by the addresses of their pods, and hears those that use it.',
    `Attestations are renewed every ${first.renewMs / 1000} s. Slots are the longer the more agents share the machine, so that`,
    'it is not one queue. Medians over the records and generations, with the worst in parentheses; processor time and',
    'messages while records are timed.',
    '',
    `| | ${rows.map(({ agents }) => `${agents} agents`).join(' | ')} |`,
    `|---|${rows.map(() => '---').join('|')}|`,
    ...COLUMNS.slice(1).map(([name, of]) => `| ${name} | ${rows.map(of).join(' | ')} |`),
    '',
    'That all agents share so few cores is what the times of a record and a generation show: a record costs each agent',
    'about as much as the machine has cores times the time to the last, divided by their number.',
    '',
    ...Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`),
    '',
  ].join('\n');
}
