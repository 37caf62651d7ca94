// `tidelock why` for people: the answer and what to do first, then the chain it stands in.
import { oneLine } from './columns.ts';
import type { Why } from './why.ts';

const MARKS = { holds: 'ok', broken: 'BROKEN', 'not-reached': '-' } as const;

/** The answer as lines of text. */
export function whyText({ question, answer, remedy, links, node }: Why): string {
  const broken = links.find(({ state }) => state === 'broken');
  const idWidth = Math.max(...links.map(({ id }) => id.length));
  return [
    `${oneLine(question)}, as ${node} sees it`,
    `${broken ? `Broken at ${broken.id}: ` : ''}${oneLine(answer)}`,
    ...(remedy === undefined ? [] : [`Remedy: ${oneLine(remedy)}`]),
    '',
    ...links.map(({ id, state, text }) =>
      `  ${MARKS[state].padEnd(MARKS.broken.length)}  ${id.padEnd(idWidth)}  ${state === 'not-reached' ? 'not reached' : oneLine(text)}`.trimEnd(),
    ),
    '',
  ].join('\n');
}
