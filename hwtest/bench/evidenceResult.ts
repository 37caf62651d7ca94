// What the bench of evidence found: every figure with its spread, what follows from it for a cluster,
// and the Markdown page. Pure.
import type { HostFacts } from './hostFacts.ts';

export interface EvidenceFigure {
  readonly name: string;
  readonly label: string;
  readonly runs: number;
  /** Milliseconds by the clock. */
  readonly medianMs: number;
  readonly p95Ms: number;
  /** Milliseconds of processor time, all threads; null for a program. */
  readonly cpuMs: number | null;
  /** How many a core verifies in a second; null for a program. */
  readonly perSecond: number | null;
  readonly goalMs: number | null;
}

export interface EvidenceBench {
  readonly kind: 'EvidenceBench';
  readonly machine: HostFacts;
  readonly subjects: readonly EvidenceFigure[];
  readonly peers: readonly EvidenceFigure[];
  /** Share of one core that 1,000 nodes take which renew every minute, by subject. */
  readonly renewals: Readonly<Record<string, number>>;
}

export interface Timed {
  readonly name: string;
  readonly label: string;
  readonly goalMs?: number;
  /** Each verification, milliseconds. */
  readonly tookMs: readonly number[];
  /** Processor time of each block of verifications, milliseconds for one; empty for a program. */
  readonly cpuMs: readonly number[];
}

/** The value below which `share` of all lie, the nearest rank. Errors: RangeError for no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  if (value === undefined) throw new RangeError('no values');
  return value;
}

export function figureOf({ name, label, goalMs, tookMs, cpuMs }: Timed): EvidenceFigure {
  const cpu = cpuMs.length === 0 ? null : quantile(cpuMs, 0.5);
  return {
    name,
    label,
    runs: tookMs.length,
    medianMs: quantile(tookMs, 0.5),
    p95Ms: quantile(tookMs, 0.95),
    cpuMs: cpu,
    perSecond: cpu === null ? null : 1000 / cpu,
    goalMs: goalMs ?? null,
  };
}

const NODES = 1000;
const MINUTE_MS = 60_000;

/** What 1,000 nodes that renew every minute take of one core, 1 being all of it. */
export const shareOfCore = ({ cpuMs }: EvidenceFigure): number =>
  (NODES * (cpuMs ?? 0)) / MINUTE_MS;

/** The page of `docs/bench/evidence.md`. */
export function evidencePage({ machine, subjects, peers, renewals }: EvidenceBench): string {
  return [
    '# Evidence',
    '',
    'Made by `npm run bench -- evidence`. Each row is one verification from bytes in memory to a verdict, on',
    'one thread, certificates and collateral read anew each time; roots of TPM makers are read once. The rows',
    'are run in turn. CPU is of all threads, garbage collection and compilers among them.',
    '',
    ...table(
      ['evidence', 'median, ms', 'p95, ms', 'CPU, ms', 'a second and core', 'runs', 'goal, ms'],
      subjects.map((figure) => [
        figure.label,
        ms(figure.medianMs),
        ms(figure.p95Ms),
        figure.cpuMs === null ? '' : ms(figure.cpuMs),
        whole(figure.perSecond),
        String(figure.runs),
        figure.goalMs === null ? '' : `under ${figure.goalMs}`,
      ]),
    ),
    '',
    '## Renewals of 1,000 nodes a minute',
    '',
    ...table(
      ['each renewal is', 'share of one core'],
      Object.entries(renewals).map(([label, share]) => [label, `${(share * 100).toFixed(1)} %`]),
    ),
    '',
    '## Beside programs of others',
    '',
    'On the same recorded files, process start included, in turn within the same rounds. Ours run from',
    'source, whose types Node strips at every start; a running agent pays for none of that.',
    '',
    ...table(
      ['program', 'what it does', 'median, ms', 'p95, ms', 'runs'],
      peers.map(({ name, label, medianMs, p95Ms, runs }) => [
        `\`${name}\``,
        label,
        ms(medianMs),
        ms(p95Ms),
        String(runs),
      ]),
    ),
    '',
    '## Machine',
    '',
    ...table(['', ''], Object.entries(machine)),
    '',
  ].join('\n');
}

const ms = (value: number): string => value.toFixed(value < 10 ? 3 : 1);
const whole = (value: number | null): string =>
  value === null ? '' : Math.round(value).toLocaleString('en');

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  line(head),
  line(head.map(() => '---')),
  ...rows.map(line),
];
