// An inventory as a table for people.
import type { Removed } from './removal.ts';
import type { Trace } from './trace.ts';

/** One line a trace: what became of it, or whether it is there; then what, where and why. */
export function tracesText(traces: readonly Trace[], removed: readonly Removed[] = []): string {
  const rows = traces.map((trace): readonly [string, string, string, string] => {
    const became = removed.find((each) => each.trace === trace);
    const note = became?.problem ?? (trace.presence === 'absent' ? undefined : trace.note);
    return [became?.outcome ?? trace.presence, trace.what, trace.where, note ? `  (${note})` : ''];
  });
  const width = (i: 0 | 1): number => Math.max(0, ...rows.map((row) => row[i].length));
  const [first, second] = [width(0), width(1)];
  return rows
    .map(
      ([state, what, where, note]) =>
        `${state.padEnd(first)}  ${what.padEnd(second)}  ${where}${note}`,
    )
    .join('\n');
}
