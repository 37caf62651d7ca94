// The verdicts of the bench: each figure of lanes over that of the best mutual-TLS peer in the same run,
// beside the floor and the goal that the project has set itself. Pure.
import { FIGURES, type FigureName } from './figures.ts';
import type { Sample, SubjectInfo, Summary } from './result.ts';

/** Where a verdict is taken from. */
interface Rule {
  readonly label: string;
  readonly figure: FigureName;
  /**
   * `peer`: over the best mutual-TLS peer. `added`: the same of what each adds to direct. `own`: the
   * figure itself. `sum`: that of all runs together. `steady`: over lanes with the long period.
   */
  readonly of: 'peer' | 'added' | 'own' | 'sum' | 'steady';
  readonly floor?: number;
  readonly goal?: number;
}

/** Name of the lanes that `steady` compares with. */
export const STEADY = 'tidelock-steady';

const rule = (figure: FigureName, of: Rule['of'], floor?: number, goal?: number): Rule => ({
  label: FIGURES[figure].label,
  figure,
  of,
  ...(floor !== undefined && { floor }),
  ...(goal !== undefined && { goal }),
});
const added = (figure: FigureName, floor?: number, goal?: number): Rule => ({
  ...rule(figure, 'added', floor, goal),
  label: `${FIGURES[figure].label}, added to direct`,
});

/** Those with a floor first. */
const RULES = {
  bulk1: rule('bulk1', 'peer', 1.25, 1.4),
  bulk8: rule('bulk8', 'peer', 1.1, 1.2),
  bulk32: rule('bulk32', 'peer', 1.1, 1.2),
  connections: rule('connections', 'peer', 3, 5),
  rttAddedP50: added('rttP50', 1, 0.8),
  rttAddedP99: added('rttP99', 1),
  perLane: rule('perLane', 'own', 20, 12),
  rotation: rule('rotationP999', 'steady', 1.2, 1.1),
  rotationErrors: rule('rotationErrors', 'sum', 0, 0),
  reverse1: rule('reverse1', 'peer'),
  reverse8: rule('reverse8', 'peer'),
  bare1: rule('bare1', 'peer'),
  bare8: rule('bare8', 'peer'),
  pacedAddedP50: added('pacedP50'),
  pacedAddedP99: added('pacedP99'),
  requests32: rule('requests32', 'peer'),
  requests128: rule('requests128', 'peer'),
  cpu1: rule('cpu1', 'peer'),
  cpu8: rule('cpu8', 'peer'),
  cpu32: rule('cpu32', 'peer'),
  cpuConnection: rule('cpuConnection', 'peer'),
} as const satisfies Readonly<Record<string, Rule>>;
export type VerdictName = keyof typeof RULES;
export const VERDICT_NAMES = Object.keys(RULES) as VerdictName[];

export interface Verdict {
  readonly label: string;
  readonly better: 'high' | 'low';
  /** A ratio of medians without a unit, or a value in `unit`; null where a side was not measured. */
  readonly value: number | null;
  readonly unit: string;
  readonly floor: number | null;
  readonly goal: number | null;
  readonly meetsFloor: boolean | null;
  readonly meetsGoal: boolean | null;
  /** Name of the subject it is compared with; null: none. */
  readonly against: string | null;
  /** The same of each run that has both sides, against the same subject. */
  readonly runs: readonly number[];
}

/** What verdicts are made from. */
export interface Measured {
  readonly subjects: readonly SubjectInfo[];
  readonly summary: Summary;
  readonly samples: readonly Sample[];
}

type Value = (subject: string) => number | undefined;

/** Errors: none; what was not measured has no value. */
export const verdictsOf = (measured: Measured): Readonly<Record<VerdictName, Verdict>> =>
  Object.fromEntries(
    VERDICT_NAMES.map((name) => [name, verdictOf(RULES[name], measured)]),
  ) as Record<VerdictName, Verdict>;

function verdictOf(of: Rule, measured: Measured): Verdict {
  const { subjects, samples } = measured;
  const lanes = subjects.find(({ kind }) => kind === 'lanes')?.name ?? '';
  const better = FIGURES[of.figure].better;
  const medians = valuesOf(of, measured, (subject, figure) =>
    medianIn(measured.summary, subject, figure),
  );
  const against = of.of === 'own' || of.of === 'sum' ? undefined : rivalOf(of, subjects, medians);
  const compare = (value: Value): number | undefined => {
    const own = value(lanes);
    if (of.of === 'own' || of.of === 'sum' || own === undefined) return own;
    const other = against === undefined ? undefined : value(against);
    // Whoever adds nothing to direct, or less, cannot be divided by.
    return other === undefined || other <= 0 ? undefined : own / other;
  };
  const numbers = [...new Set(samples.map(({ run }) => run))].sort((a, b) => a - b);
  const runs = numbers.flatMap(
    (run) =>
      compare(valuesOf(of, measured, (subject, figure) => inRun(samples, run, subject, figure))) ??
      [],
  );
  const whole = of.of === 'sum' ? sumOf(runs) : compare(medians);
  const value = whole === undefined ? null : rounded(whole);
  const meets = (bound: number | undefined): boolean | null =>
    value === null || bound === undefined
      ? null
      : better === 'high'
        ? value >= bound
        : value <= bound;
  return {
    label: of.label,
    better,
    value,
    unit: of.of === 'own' ? FIGURES[of.figure].unit : '',
    floor: of.floor ?? null,
    goal: of.goal ?? null,
    meetsFloor: meets(of.floor),
    meetsGoal: meets(of.goal),
    against: against ?? null,
    runs: runs.map(rounded),
  };
}

/** The figure of a rule by subject; of `added`, less that of direct. */
function valuesOf(
  of: Rule,
  { subjects }: Measured,
  figureOf: (subject: string, figure: FigureName) => number | undefined,
): Value {
  if (of.of !== 'added') return (subject) => figureOf(subject, of.figure);
  const direct = subjects.find(({ kind }) => kind === 'direct')?.name ?? '';
  return (subject) => {
    const [whole, base] = [figureOf(subject, of.figure), figureOf(direct, of.figure)];
    return whole === undefined || base === undefined ? undefined : whole - base;
  };
}

/** The subject that a rule compares with: of mutual-TLS peers the best. */
function rivalOf(of: Rule, subjects: readonly SubjectInfo[], value: Value): string | undefined {
  if (of.of === 'steady') return STEADY;
  const sign = FIGURES[of.figure].better === 'high' ? -1 : 1;
  const [best] = subjects
    .filter(({ kind }) => kind === 'mtls')
    .flatMap(({ name }) => {
      const own = value(name);
      return own === undefined ? [] : [{ name, own }];
    })
    .sort((a, b) => sign * (a.own - b.own));
  return best?.name;
}

const medianIn = (summary: Summary, subject: string, figure: FigureName): number | undefined =>
  summary[subject]?.[figure]?.median;

const inRun = (
  samples: readonly Sample[],
  run: number,
  subject: string,
  figure: FigureName,
): number | undefined =>
  samples.find(
    (sample) => sample.run === run && sample.subject === subject && sample.figure === figure,
  )?.value;

const sumOf = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);

const rounded = (value: number): number => Math.round(value * 1000) / 1000;
