// How the text forms of answers line up: labelled values and titled tables. Part of any text may come
// from another machine, so every cell stays on its line and steers no terminal.

export type Row = readonly string[];

const LABEL_WIDTH = 11;

/** `label  value`, one a line, values in one column. */
export const pairs = (rows: readonly (readonly [label: string, value: string])[]): string[] =>
  rows.map(([label, value]) => `${label.padEnd(LABEL_WIDTH)}  ${oneLine(value)}`);

/** A titled table after an empty line; nothing at all without rows. */
export function table(title: string, head: Row, cells: readonly Row[]): string[] {
  if (cells.length === 0) return [];
  const rows = cells.map((row) => row.map(oneLine));
  const widths = head.map((name, i) =>
    Math.max(name.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: Row): string =>
    `  ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}`.trimEnd();
  return ['', title, line(head), ...rows.map(line)];
}

/** `text` without line breaks and control characters. */
export const oneLine = (text: string): string =>
  text.replace(/\s*\n\s*/g, ' / ').replace(/\p{Control}/gu, '?');

/** `22:13:20`, UTC. */
export const timeOfDay = (unixMs: number): string => new Date(unixMs).toISOString().slice(11, 19);
