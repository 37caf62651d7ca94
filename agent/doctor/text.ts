// The findings as a table for people, and the offline explanation of one check.
import type { Check, State } from './check.ts';
import type { Result } from './doctor.ts';

const MARK: Readonly<Record<State, string>> = {
  pass: 'ok  ',
  warn: 'warn',
  fail: 'FAIL',
  skip: 'skip',
};

/** One line a check, cause and remedy below those that need them; with `verbose` title and time too. */
export function resultsText(results: readonly Result[], verbose: boolean): string {
  const width = Math.max(...results.map(({ id }) => id.length));
  const indent = ' '.repeat(MARK.pass.length + width + 4);
  const lines = results.flatMap(({ id, title, state, observed, cause, remedy, tookMs }) => [
    `${MARK[state]}  ${id.padEnd(width)}  ${observed.replaceAll('\n', `\n${indent}`)}`,
    ...(verbose ? [`${indent}looked at: ${title}, ${tookMs} ms`] : []),
    ...(cause === undefined ? [] : [`${indent}cause:  ${cause}`]),
    ...(remedy === undefined ? [] : [`${indent}remedy: ${remedy}`]),
  ]);
  return [...lines, '', summaryText(results)].join('\n');
}

function summaryText(results: readonly Result[]): string {
  const count = (state: State): number => results.filter((each) => each.state === state).length;
  const counts = `${count('pass')} passed, ${count('warn')} to look at, ${count('fail')} failed, ${count('skip')} skipped`;
  const more = count('warn') + count('fail') > 0 ? '; tidelock doctor explain ID says more' : '';
  return `${counts}${more}`;
}

/** Everything about a check that can be said without looking. */
export const explanationText = ({ id, title, explanation, needs, exit }: Check): string =>
  [
    `${id}: ${title}`,
    `  looks at:    ${explanation.looksAt}`,
    `  needed for:  ${explanation.neededFor}`,
    `  usual cause: ${explanation.usualCause}`,
    `  remedy:      ${explanation.remedy}`,
    `  needs:       ${needs.join(', ') || 'nothing'}`,
    `  a fail ends doctor with exit code ${exit}, unless the error found has another`,
  ].join('\n');
