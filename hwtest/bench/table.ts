// The Markdown page of a bench: ratios first, then every subject with every figure, then the runs. Pure.
import {
  FIGURES,
  FIGURE_NAMES,
  RATIOS,
  type BenchResult,
  type FigureName,
  type RatioName,
  type Spread,
} from './result.ts';

const RATIO_LABELS: Readonly<Record<RatioName, string>> = {
  bulk1: 'bulk, 1 flow',
  bulk8: 'bulk, 8 flows',
  bulk32: 'bulk, 32 flows',
  connections: 'new connections',
  rttAdded: 'added round trip p50 (lower is better)',
};

/** `chart` is the path of the SVG as the page names it; absent: no chart is shown. */
export function benchPage(result: BenchResult, chart?: string): string {
  const { machine } = result;
  return [
    '# Lanes beside other proxies',
    '',
    'Made by `npm run bench -- lanes`. Client, node a, node b and server are network namespaces on one',
    'machine; the load, the server and both proxies share its cores. All proxies get two threads or',
    'processes (stunnel: a thread a connection). Only the lanes pay for the redirect out of the pod: the',
    'client of every other proxy connects to it by itself. All namespaces have the same `tcp_tw_reuse=1`',
    'and port range. The probes of the agents are off unless `--probes` was given. Runs are interleaved; medians, with the smallest and largest run in parentheses.',
    '',
    ...(chart === undefined ? [] : [`![Figures of each proxy](${chart})`, '']),
    '## Lanes over the best mutual-TLS proxy',
    '',
    ...table(
      ['figure', 'ratio', 'best of the others'],
      RATIOS.map((name) => [
        RATIO_LABELS[name],
        result.ratios[name]?.toFixed(2) ?? 'not measured',
        labelOf(result, result.against[name]),
      ]),
    ),
    '',
    '## Medians',
    '',
    ...table(
      ['', ...result.subjects.map(({ label }) => label)],
      FIGURE_NAMES.map((figure) => [
        `${FIGURES[figure].label}, ${FIGURES[figure].unit}`,
        ...result.subjects.map(({ name }) => cell(figure, result.summary[name]?.[figure])),
      ]),
    ),
    '',
    '`CPU` and `memory` are of the proxies of both nodes, kernel time and shared pages included; for the',
    'lanes these are the two data planes. The control planes and their probes stand in the last row.',
    '',
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
        ...Object.entries(machine.programs).map(([name, version]) => [name, version]),
      ],
    ),
    '',
    '## Every run',
    '',
    ...table(
      ['figure', 'subject', ...runNumbers(result).map((run) => `run ${run}`)],
      FIGURE_NAMES.flatMap((figure) =>
        result.subjects
          .filter(({ name }) => result.summary[name]?.[figure])
          .map(({ name }) => [
            FIGURES[figure].label,
            name,
            ...runNumbers(result).map((run) => sampleText(result, run, name, figure)),
          ]),
      ),
    ),
    '',
    ...failures(result),
  ].join('\n');
}

const runNumbers = (result: BenchResult): number[] =>
  [...new Set(result.runs.map(({ run }) => run))].sort((a, b) => a - b);

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
        ...failures.map(({ run, subject, message }) => `- run ${run}, ${subject}: ${message}`),
        '',
      ];

const labelOf = (result: BenchResult, name: string | null): string =>
  result.subjects.find((subject) => subject.name === name)?.label ?? '';

/** A value with the digits of its figure, thousands apart. */
export const text = (figure: FigureName, value: number): string =>
  value.toLocaleString('en', {
    minimumFractionDigits: FIGURES[figure].digits,
    maximumFractionDigits: FIGURES[figure].digits,
  });

const cell = (figure: FigureName, spread: Spread | undefined): string =>
  spread
    ? `${text(figure, spread.median)} (${text(figure, spread.min)} to ${text(figure, spread.max)})`
    : '';

const pairs = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
