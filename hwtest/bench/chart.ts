// The chart of a bench as one SVG: a panel a figure, a bar a subject, a whisker from the smallest to the
// largest run. Pure; readable on light and dark ground, and without colour.
import { FIGURES, type FigureName } from './figures.ts';
import type { BenchResult, Spread, SubjectInfo } from './result.ts';
import { text } from './table.ts';

const PANELS: readonly FigureName[] = [
  'bulk1',
  'bulk8',
  'bulk32',
  'reverse8',
  'bare8',
  'connections',
  'rttP50',
  'requests32',
  'cpu8',
  'perLane',
];
const COLUMNS = 2;
const PANEL = { width: 460, labels: 120, values: 62, head: 30, row: 20, gap: 24 };
const COLOURS = {
  lanes: '#1f77b4',
  variant: '#aec7e8',
  mtls: '#8a8a8a',
  tunnel: '#b9b9b9',
  relay: '#b9b9b9',
  direct: '#d9d9d9',
} as const;

/** A whole SVG document. */
export function benchChart(result: BenchResult): string {
  const subjects = result.subjects.filter(({ kind }) => kind !== 'variant');
  const rows = Math.ceil(PANELS.length / COLUMNS);
  const panelHeight = PANEL.head + subjects.length * PANEL.row + PANEL.gap;
  const [width, height] = [COLUMNS * PANEL.width, rows * panelHeight];
  const panels = PANELS.map((figure, i) => {
    const [x, y] = [(i % COLUMNS) * PANEL.width, Math.floor(i / COLUMNS) * panelHeight];
    return `<g transform="translate(${x} ${y})">${panel(result, subjects, figure)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12" role="img" aria-label="Lanes beside other proxies">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function panel(result: BenchResult, subjects: readonly SubjectInfo[], figure: FigureName): string {
  const { label, unit, better } = FIGURES[figure];
  const spreads = subjects.map(({ name }) => result.summary[name]?.[figure]);
  // Direct is often many times everything else: the scale is that of the proxies.
  const proxies = subjects.flatMap(({ kind }, i) => (kind === 'direct' ? [] : [spreads[i]]));
  const scale = Math.max(...proxies.map((spread) => spread?.max ?? 0), Number.MIN_VALUE);
  const head = `<text x="8" y="18" font-weight="bold">${escaped(`${label}, ${unit}`)} (${better === 'high' ? 'more' : 'less'} is better)</text>`;
  const bars = subjects.map(({ name, kind }, i) =>
    bar(name, {
      figure,
      scale,
      spread: spreads[i],
      colour: COLOURS[kind],
      y: PANEL.head + i * PANEL.row,
    }),
  );
  return [head, ...bars].join('\n');
}

function bar(
  name: string,
  at: {
    readonly figure: FigureName;
    readonly scale: number;
    readonly spread: Spread | undefined;
    readonly colour: string;
    readonly y: number;
  },
): string {
  const { figure, scale, spread, colour, y } = at;
  const caption = `<text x="${PANEL.labels - 6}" y="${y + 13}" text-anchor="end">${escaped(name)}</text>`;
  if (!spread)
    return `${caption}<text x="${PANEL.labels}" y="${y + 13}" fill="#666666">none</text>`;
  const room = PANEL.width - PANEL.labels - PANEL.values;
  const length = (value: number): number => Math.round(room * Math.min(value / scale, 1));
  const [low, high, middle] = [spread.min, spread.max, y + 9].map((n, i) =>
    i < 2 ? PANEL.labels + length(n) : n,
  );
  const more = spread.median > scale ? ' »' : '';
  return [
    caption,
    `<rect x="${PANEL.labels}" y="${y + 2}" width="${Math.max(length(spread.median), 1)}" height="14" fill="${colour}"/>`,
    `<line x1="${low}" x2="${high}" y1="${middle}" y2="${middle}" stroke="#222222"/>`,
    `<text x="${PANEL.labels + room + 6}" y="${y + 13}">${text(figure, spread.median)}${more}</text>`,
  ].join('');
}

const escaped = (raw: string): string =>
  raw.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
