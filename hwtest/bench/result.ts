// What a bench found: every sample, the median and spread of each figure, and the ratios of lanes to the
// best mutual-TLS peer. Pure: samples in, document out.
import type { Machine } from './machine.ts';

/** Figures by name: how they are shown, and which way is better. */
export const FIGURES = {
  bulk1: { label: 'bulk, 1 flow', unit: 'Gbit/s', digits: 1, better: 'high' },
  bulk8: { label: 'bulk, 8 flows', unit: 'Gbit/s', digits: 1, better: 'high' },
  bulk32: { label: 'bulk, 32 flows', unit: 'Gbit/s', digits: 1, better: 'high' },
  connections: { label: 'new connections', unit: '/s', digits: 0, better: 'high' },
  rttP50: { label: '1 KiB round trip, p50', unit: 'µs', digits: 0, better: 'low' },
  rttP99: { label: '1 KiB round trip, p99', unit: 'µs', digits: 0, better: 'low' },
  cpu1: { label: 'CPU, 1 flow', unit: 's/Gbit', digits: 3, better: 'low' },
  cpu8: { label: 'CPU, 8 flows', unit: 's/Gbit', digits: 3, better: 'low' },
  cpu32: { label: 'CPU, 32 flows', unit: 's/Gbit', digits: 3, better: 'low' },
  memoryIdle: { label: 'memory of the pair, idle', unit: 'MiB', digits: 0, better: 'low' },
  memoryLanes: { label: 'memory of the pair, 1,000 idle', unit: 'MiB', digits: 0, better: 'low' },
  memoryBeside: { label: 'control planes beside them', unit: 'MiB', digits: 0, better: 'low' },
} as const;
export type FigureName = keyof typeof FIGURES;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** One figure of one subject in one run; `value` in the figure's unit. */
export interface Sample {
  readonly run: number;
  readonly subject: string;
  readonly figure: FigureName;
  readonly value: number;
}

/** A measurement that gave no figure. */
export interface Failure {
  readonly run: number;
  readonly subject: string;
  readonly message: string;
}

export interface SubjectInfo {
  readonly name: string;
  readonly label: string;
  readonly kind: 'direct' | 'relay' | 'lanes' | 'mtls';
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** By subject, then by figure; what was not measured is absent. */
export type Summary = Readonly<Record<string, Partial<Readonly<Record<FigureName, Spread>>>>>;

/** Lanes over the best mutual-TLS peer; `rttAdded` is of what each adds to the direct p50. */
export const RATIOS = ['bulk1', 'bulk8', 'bulk32', 'connections', 'rttAdded'] as const;
export type RatioName = (typeof RATIOS)[number];
export interface Ratio {
  /** Rounded to 3 digits; null where one side was not measured. */
  readonly ratio: number | null;
  /** Name of the peer that was best. */
  readonly against: string | null;
}

export interface BenchResult {
  readonly kind: 'BenchResult';
  readonly bench: 'lanes';
  readonly machine: Machine;
  readonly subjects: readonly SubjectInfo[];
  readonly ratios: Readonly<Record<RatioName, number | null>>;
  readonly against: Readonly<Record<RatioName, string | null>>;
  readonly summary: Summary;
  readonly runs: readonly Sample[];
  readonly failures: readonly Failure[];
}

/** Errors: none; a subject without samples has an empty summary. */
export function benchResult(found: {
  readonly machine: Machine;
  readonly subjects: readonly SubjectInfo[];
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
}): BenchResult {
  const { machine, samples, failures } = found;
  const subjects = found.subjects.map(({ name, label, kind }) => ({ name, label, kind }));
  const summary = summaryOf(subjects, samples);
  const ratios = RATIOS.map((name) => [name, ratioOf(name, subjects, summary)] as const);
  return {
    kind: 'BenchResult',
    bench: 'lanes',
    machine,
    subjects,
    ratios: byRatio(ratios, ({ ratio }) => ratio),
    against: byRatio(ratios, ({ against }) => against),
    summary,
    runs: samples,
    failures,
  };
}

/** Middle value, or the mean of the two middle ones; NaN of none. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

function summaryOf(subjects: readonly SubjectInfo[], samples: readonly Sample[]): Summary {
  const spreadOf = (subject: string, figure: FigureName): Spread | undefined => {
    const values = samples
      .filter((sample) => sample.subject === subject && sample.figure === figure)
      .map(({ value }) => value);
    if (values.length === 0) return undefined;
    return { median: medianOf(values), min: Math.min(...values), max: Math.max(...values) };
  };
  return Object.fromEntries(
    subjects.map(({ name }) => [
      name,
      Object.fromEntries(
        FIGURE_NAMES.flatMap((figure) => {
          const spread = spreadOf(name, figure);
          return spread ? [[figure, spread]] : [];
        }),
      ),
    ]),
  );
}

/** The ratio of lanes to the best mutual-TLS peer, from medians. */
export function ratioOf(
  name: RatioName,
  subjects: readonly SubjectInfo[],
  summary: Summary,
): Ratio {
  const direct = subjects.find(({ kind }) => kind === 'direct')?.name;
  const valueOf = (subject: string): number | undefined => {
    if (name !== 'rttAdded') return summary[subject]?.[name]?.median;
    const base = direct === undefined ? undefined : summary[direct]?.rttP50?.median;
    const whole = summary[subject]?.rttP50?.median;
    return base === undefined || whole === undefined ? undefined : whole - base;
  };
  const better = name === 'rttAdded' ? -1 : 1;
  const [best] = subjects
    .filter(({ kind }) => kind === 'mtls')
    .flatMap((peer) => {
      const value = valueOf(peer.name);
      return value === undefined ? [] : [{ name: peer.name, value }];
    })
    .sort((a, b) => better * (b.value - a.value));
  const lanes = subjects.find(({ kind }) => kind === 'lanes')?.name;
  const own = lanes === undefined ? undefined : valueOf(lanes);
  if (!best || own === undefined) return { ratio: null, against: null };
  return { ratio: Math.round((own / best.value) * 1000) / 1000, against: best.name };
}

const byRatio = <T>(
  ratios: readonly (readonly [RatioName, Ratio])[],
  pick: (ratio: Ratio) => T,
): Record<RatioName, T> =>
  Object.fromEntries(ratios.map(([name, ratio]) => [name, pick(ratio)])) as Record<RatioName, T>;
