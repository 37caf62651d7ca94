// The verdicts of the bench: each figure of lanes over that of the best mutual-TLS peer in the same run,
// beside the floor and the goal that the project has set itself. Pure.
import { FIGURES, type FigureName } from './figures.ts';
import type { Sample, SubjectInfo, Summary } from './result.ts';

/** Where a verdict is taken from. */
interface Rule {
  readonly figure: FigureName;
  /** Divided by that of the best mutual-TLS peer, or of lanes with the long period; absent: by nothing. */
  readonly over?: 'peer' | 'steady';
  /** All runs together instead of their median. */
  readonly isSummed?: boolean;
  readonly floor?: number;
  readonly goal?: number;
}

/** Name of the lanes that `steady` compares with. */
export const STEADY = 'tidelock-steady';

const overPeer = (figure: FigureName, floor?: number, goal?: number): Rule => ({
  figure,
  over: 'peer',
  ...(floor && { floor }),
  ...(goal && { goal }),
});

/** Those with a floor first. */
const RULES = {
  bulk1: overPeer('bulk1', 1.25, 1.4),
  bulk8: overPeer('bulk8', 1.1, 1.2),
  bulk32: overPeer('bulk32', 1.1, 1.2),
  connections: overPeer('connections', 3, 5),
  rttAddedP50: overPeer('rttAddedP50', 1, 0.8),
  rttAddedP99: overPeer('rttAddedP99', 1),
  perLane: { figure: 'perLane', floor: 20, goal: 12 },
  rotation: { figure: 'rotationP999', over: 'steady', floor: 1.2, goal: 1.1 },
  rotationErrors: { figure: 'rotationErrors', isSummed: true, floor: 0, goal: 0 },
  reverse1: overPeer('reverse1'),
  reverse8: overPeer('reverse8'),
  bare1: overPeer('bare1'),
  bare8: overPeer('bare8'),
  pacedAddedP50: overPeer('pacedAddedP50'),
  pacedAddedP99: overPeer('pacedAddedP99'),
  requests32: overPeer('requests32'),
  requests32P99: overPeer('requests32P99'),
  requests128: overPeer('requests128'),
  requests128P99: overPeer('requests128P99'),
  cpu1: overPeer('cpu1'),
  cpu8: overPeer('cpu8'),
  cpu32: overPeer('cpu32'),
  cpuConnection: overPeer('cpuConnection'),
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

/** The figure of a rule by subject: a median, or that of one run. */
type Look = (subject: string) => number | undefined;

/** Errors: none; what was not measured has no value. */
export const verdictsOf = (measured: Measured): Readonly<Record<VerdictName, Verdict>> =>
  Object.fromEntries(
    VERDICT_NAMES.map((name) => [name, verdictOf(RULES[name], measured)]),
  ) as Record<VerdictName, Verdict>;

function verdictOf(of: Rule, { subjects, summary, samples }: Measured): Verdict {
  const { label, better, unit } = FIGURES[of.figure];
  const lanes = subjects.find(({ kind }) => kind === 'lanes')?.name ?? '';
  const peers = subjects.filter(({ kind }) => kind === 'mtls').map(({ name }) => name);
  const medians: Look = (subject) => summary[subject]?.[of.figure]?.median;
  const against = of.over === 'steady' ? STEADY : of.over && best(better, peers, medians);
  const valueIn = (look: Look): number | undefined => {
    const own = look(lanes);
    if (!of.over || own === undefined) return own;
    const other = against === undefined ? undefined : look(against);
    // Whoever adds nothing to direct, or less, cannot be divided by.
    return other === undefined || other <= 0 ? undefined : own / other;
  };

  const runs = runNumbers(samples).flatMap((run) => {
    const look: Look = (subject) => inRun(samples, run, subject, of.figure);
    return valueIn(look) ?? [];
  });
  const whole = of.isSummed && runs.length > 0 ? sum(runs) : valueIn(medians);
  const meets = (bound: number | undefined): boolean | null => {
    if (whole === undefined || bound === undefined) return null;
    return better === 'high' ? whole >= bound : whole <= bound;
  };
  return {
    label,
    better,
    value: whole === undefined ? null : rounded(whole),
    unit: of.over ? '' : unit,
    floor: of.floor ?? null,
    goal: of.goal ?? null,
    meetsFloor: meets(of.floor),
    meetsGoal: meets(of.goal),
    against: against ?? null,
    runs: runs.map(rounded),
  };
}

/** The name with the best value; undefined where none has one. */
function best(better: Verdict['better'], names: readonly string[], look: Look): string | undefined {
  const sign = better === 'high' ? -1 : 1;
  const [first] = names
    .flatMap((name) => {
      const value = look(name);
      return value === undefined ? [] : [{ name, value }];
    })
    .sort((a, b) => sign * (a.value - b.value));
  return first?.name;
}

const runNumbers = (samples: readonly Sample[]): number[] =>
  [...new Set(samples.map(({ run }) => run))].sort((a, b) => a - b);

const inRun = (
  samples: readonly Sample[],
  run: number,
  subject: string,
  figure: FigureName,
): number | undefined =>
  samples.find((each) => each.run === run && each.subject === subject && each.figure === figure)
    ?.value;

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);

const rounded = (value: number): number => Math.round(value * 1000) / 1000;
