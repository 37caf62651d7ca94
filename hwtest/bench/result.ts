// What a bench found: every sample, the median and spread of each figure, and the verdicts about lanes.
// Pure: samples in, document out.
import { ADDED, FIGURE_NAMES, type FigureName } from './figures.ts';
import type { Machine } from './machine.ts';
import type { Subject } from './subject.ts';
import { verdictsOf, type Verdict, type VerdictName } from './verdicts.ts';

/** One figure of one subject in one run; `value` in the figure's unit. */
export interface Sample {
  readonly run: number;
  readonly subject: string;
  readonly figure: FigureName;
  readonly value: number;
}

/** A measurement that gave no figure. */
export interface Failure {
  /** 0: it could not be started. */
  readonly run: number;
  readonly subject: string;
  /** What was being done, as the progress line says it. */
  readonly step: string;
  readonly message: string;
}

export type SubjectInfo = Pick<Subject, 'name' | 'label' | 'kind'>;

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** By subject, then by figure; what was not measured is absent. */
export type Summary = Readonly<Record<string, Partial<Readonly<Record<FigureName, Spread>>>>>;

export interface BenchResult {
  readonly kind: 'BenchResult';
  readonly bench: 'lanes';
  /** What made it: every flag that changes a figure. */
  readonly command: string;
  /** Short measurements: whether it works, not how fast. */
  readonly quick: boolean;
  readonly machine: Machine;
  readonly subjects: readonly SubjectInfo[];
  readonly verdicts: Readonly<Record<VerdictName, Verdict>>;
  readonly summary: Summary;
  /** Those that were measured, and after them what each adds to direct. */
  readonly runs: readonly Sample[];
  readonly failures: readonly Failure[];
}

/** As tables and charts have them. */
const ORDER: readonly SubjectInfo['kind'][] = [
  'direct',
  'relay',
  'lanes',
  'mtls',
  'tunnel',
  'variant',
];

/** Errors: none; a subject without samples has an empty summary. */
export function benchResult(found: {
  readonly command: string;
  readonly quick: boolean;
  readonly machine: Machine;
  readonly subjects: readonly SubjectInfo[];
  readonly samples: readonly Sample[];
  readonly failures: readonly Failure[];
}): BenchResult {
  const { command, quick, machine, failures } = found;
  const subjects = found.subjects
    .map(({ name, label, kind }) => ({ name, label, kind }))
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  const samples = [...found.samples, ...addedOf(subjects, found.samples)];
  const summary = summaryOf(subjects, samples);
  return {
    kind: 'BenchResult',
    bench: 'lanes',
    command,
    quick,
    machine,
    subjects,
    verdicts: verdictsOf({ subjects, summary, samples }),
    summary,
    runs: samples,
    failures,
  };
}

/** What each subject adds to direct in the same run. */
function addedOf(subjects: readonly SubjectInfo[], samples: readonly Sample[]): readonly Sample[] {
  const direct = subjects.find(({ kind }) => kind === 'direct')?.name;
  return samples.flatMap((sample) => {
    const figure = ADDED[sample.figure];
    const base = samples.find(
      (each) => each.subject === direct && each.run === sample.run && each.figure === sample.figure,
    );
    if (!figure || !base || sample === base) return [];
    return [{ ...sample, figure, value: sample.value - base.value }];
  });
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
