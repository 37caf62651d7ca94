// The Markdown page of a bench: verdicts first, then every subject with every figure, then the runs. Pure.
import { FIGURES, FIGURE_NAMES, type FigureName } from './figures.ts';
import type { Machine } from './machine.ts';
import type { BenchResult, Spread, SubjectInfo } from './result.ts';
import { VERDICT_NAMES, type Verdict } from './verdicts.ts';

/** `chart` is the path of the SVG as the page names it; absent: no chart is shown. */
export function benchPage(result: BenchResult, chart?: string): string {
  const variants = result.subjects.filter(({ kind }) => kind === 'variant');
  const others = result.subjects.filter(({ kind }) => kind !== 'variant');
  return [
    '# Lanes beside other proxies',
    '',
    `Made by \`${result.command}\`. Clients, nodes and servers are network namespaces on one machine; the`,
    'load, the servers and all proxies share its cores. All proxies get two threads or processes (stunnel: a',
    'thread a connection). Only the lanes pay for the redirect out of the pod: the client of every other',
    'proxy connects to it by itself. Lanes change keys every 5 s. Runs are interleaved; medians, with the',
    'smallest and largest run in parentheses. The code of lanes is compiled while it runs: they have carried',
    '100,000 connections before the first run, a minute or two of them; they carry half as many a second when they',
    'have just begun, and a fifth less after 20,000.',
    '',
    ...(chart === undefined ? [] : [`![Figures of each proxy](${chart})`, '']),
    ...(result.quick ? NO_VERDICT : verdicts(result)),
    '## Medians',
    '',
    ...medians(result, others),
    '',
    '`CPU` and `memory of the pair` are of the proxies of both nodes, kernel time and shared pages included;',
    'for the lanes these are the two data planes, and their control planes stand in a row of their own.',
    'Memory per idle connection and node is what 8,000 of them added, control plane included; kernel memory',
    'is what they added on the whole machine, client and server included.',
    '',
    ...(variants.length === 0 ? [] : variantTable(result, variants)),
    ...machineTable(result.machine),
    ...failures(result),
    '<details><summary>Every run</summary>',
    '',
    ...everyRun(result),
    '',
    '</details>',
    '',
  ].join('\n');
}

/** One run of short measurements says whether it works, not how fast. */
const NO_VERDICT = ['Quick run: no verdict.', ''] as const;

function verdicts(result: BenchResult): string[] {
  const all = VERDICT_NAMES.map((name) => result.verdicts[name]);
  return [
    '## Floors and goals',
    '',
    'Ratios are lanes over the best mutual-TLS proxy of the same figure. Requests under rotation are over lanes',
    `that keep a key for 30 s; those that failed are of all runs together, ${rotationsOf(result)} rotations. What a`,
    'subject adds to direct is less than 0 where a round trip through it takes less time: lanes and the plain relay ask',
    'for what comes next before they sleep, which keeps the cores awake on which the programs would have to be woken.',
    '',
    ...table(
      ['figure', 'value', 'single runs', 'better', 'floor', 'goal', 'best of the others'],
      all
        .filter(({ floor }) => floor !== null)
        .map((verdict) => [
          verdict.label,
          ...valueCells(verdict),
          betterText(verdict),
          boundText(verdict, verdict.floor, verdict.meetsFloor),
          boundText(verdict, verdict.goal, verdict.meetsGoal),
          labelOf(result, verdict.against),
        ]),
    ),
    '',
    '## Other ratios to the best mutual-TLS proxy',
    '',
    ...table(
      ['figure', 'value', 'single runs', 'better', 'best of the others'],
      all
        .filter(({ floor }) => floor === null)
        .map((verdict) => [
          verdict.label,
          ...valueCells(verdict),
          betterText(verdict),
          labelOf(result, verdict.against),
        ]),
    ),
    '',
  ];
}

const machineTable = (machine: Machine): string[] => [
  '## Machine',
  '',
  ...table(
    ['', ''],
    [
      [
        'processor',
        `${machine.processor}, ${machine.cores} cores${machine.isVirtual ? ', virtual' : ''}`,
      ],
      ['memory', `${machine.memoryGib} GiB`],
      ['kernel', machine.kernel],
      ['load average before', machine.loadAverage.toFixed(1)],
      ['veth', `MTU ${machine.mtu}, ${pairs(machine.offloads)}`],
      ...Object.entries(machine.programs),
    ],
  ),
  '',
];

function medians(result: BenchResult, subjects: readonly SubjectInfo[]): string[] {
  return table(
    ['', ...subjects.map(({ label }) => label)],
    FIGURE_NAMES.filter((figure) =>
      subjects.some(({ name }) => result.summary[name]?.[figure]),
    ).map((figure) => [
      titleOf(figure),
      ...subjects.map(({ name }) => cell(figure, result.summary[name]?.[figure])),
    ]),
  );
}

/** Variants beside the lanes of which they are one, each with its ratio to those. */
function variantTable(result: BenchResult, variants: readonly SubjectInfo[]): string[] {
  const lanes = result.subjects.filter(({ kind }) => kind === 'lanes');
  const [name = ''] = lanes.map((each) => each.name);
  const rows = FIGURE_NAMES.filter((figure) =>
    variants.some((variant) => result.summary[variant.name]?.[figure]),
  ).map((figure) => {
    const own = result.summary[name]?.[figure];
    const cells = variants.map((variant) => {
      const spread = result.summary[variant.name]?.[figure];
      const isCount = FIGURES[figure].unit === '';
      const ratio =
        spread && own?.median && !isCount ? `, × ${(spread.median / own.median).toFixed(2)}` : '';
      return `${cell(figure, spread)}${ratio}`;
    });
    return [titleOf(figure), cell(figure, own), ...cells];
  });
  return [
    '## Lanes in other settings',
    '',
    'Measured beside each other, with what each is over the lanes above.',
    '',
    ...table(['', ...[...lanes, ...variants].map(({ label }) => label)], rows),
    '',
  ];
}

function everyRun(result: BenchResult): string[] {
  const runs = [...new Set(result.runs.map(({ run }) => run))].sort((a, b) => a - b);
  return table(
    ['figure', 'subject', ...runs.map((run) => `run ${run}`)],
    FIGURE_NAMES.flatMap((figure) =>
      result.subjects
        .filter(({ name }) => result.summary[name]?.[figure])
        .map(({ name }) => [
          FIGURES[figure].label,
          name,
          ...runs.map((run) => sampleText(result, run, name, figure)),
        ]),
    ),
  );
}

function sampleText(result: BenchResult, run: number, subject: string, figure: FigureName): string {
  const found = result.runs.find(
    (sample) => sample.run === run && sample.subject === subject && sample.figure === figure,
  );
  return found ? text(figure, found.value) : '';
}

const failures = ({ failures }: BenchResult): string[] =>
  failures.length === 0
    ? []
    : [
        '## What could not be measured',
        '',
        ...failures.map(
          ({ run, subject, step, message }) =>
            `- ${run === 0 ? '' : `run ${run}, `}${subject}, ${step}: ${message}`,
        ),
        '',
      ];

/** The value, and the smallest and largest of single runs. */
function valueCells({ value, unit, runs }: Verdict): [string, string] {
  if (value === null) return ['not measured', ''];
  const [least, most] = [Math.min(...runs), Math.max(...runs)];
  const spread = runs.length < 2 ? '' : `${short(least)} to ${withUnit(most, unit)}`;
  return [withUnit(value, unit), spread];
}

/** A bound, and whether or by how much it is missed. */
function boundText({ value, unit }: Verdict, bound: number | null, isMet: boolean | null): string {
  if (bound === null) return '';
  const text = withUnit(bound, unit);
  if (value === null || isMet === null) return text;
  if (isMet) return `${text}, met`;
  return `${text}, **missed by ${withUnit(Math.max(LEAST, Math.abs(value - bound)), unit)}**`;
}

const betterText = ({ better }: Verdict): string => (better === 'high' ? 'more' : 'less');

/** What two digits can say. */
const LEAST = 0.01;
const short = (value: number): string => String(Math.round(value * 100) / 100);
const withUnit = (value: number, unit: string): string => `${short(value)}${unit && ` ${unit}`}`;

const titleOf = (figure: FigureName): string => {
  const { label, unit } = FIGURES[figure];
  return unit === '' ? label : `${label}, ${unit}`;
};

/** That the lanes went through under load. */
const rotationsOf = ({ runs, subjects }: BenchResult): number =>
  runs
    .filter(({ subject, figure }) => figure === 'rotations' && isLanes(subjects, subject))
    .reduce((sum, { value }) => sum + value, 0);

const isLanes = (subjects: readonly SubjectInfo[], subject: string): boolean =>
  subjects.some(({ name, kind }) => name === subject && kind === 'lanes');

const labelOf = (result: BenchResult, name: string | null): string =>
  result.subjects.find((subject) => subject.name === name)?.label ?? '';

/** A value with the digits of its figure, thousands apart. */
export const text = (figure: FigureName, value: number): string =>
  value.toLocaleString('en', {
    minimumFractionDigits: FIGURES[figure].digits,
    maximumFractionDigits: FIGURES[figure].digits,
  });

function cell(figure: FigureName, spread: Spread | undefined): string {
  if (!spread) return '';
  const { median, min, max } = spread;
  const range = min === max ? '' : ` (${text(figure, min)} to ${text(figure, max)})`;
  return `${text(figure, median)}${range}`;
}

const pairs = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
