// The text of PROTOCOL as far as tests ask it: its headings, and the table of its section 13.
import { readFileSync } from 'node:fs';

const TEXT = readFileSync(new URL('../../proxy/PROTOCOL.md', import.meta.url), 'utf8');

/** The numbers of all headings, such as 4 and 4.2. */
export const protocolHeadings: readonly string[] = Array.from(
  TEXT.matchAll(/^#{2,3} (?<number>\d+(?:\.\d+)?)\.? /gm),
  (found) => found.groups?.['number'] ?? '',
);

/** The text below the heading of that number, up to the next heading; empty if there is none. */
export function protocolText(number: string): string {
  const parts = TEXT.split(/^(?=#{2,3} )/m);
  return parts.find((part) => /^#+ (?<number>\d+(?:\.\d+)?)/.exec(part)?.[1] === number) ?? '';
}

/** The sections of every row of the table of section 13, by its name in the column `compute`. */
export const protocolTable: ReadonlyMap<string, readonly string[]> = new Map(
  Array.from(TEXT.matchAll(/^\| (?<names>`[^|]+`) \| (?<sections>[\d., ]+) \| /gm)).flatMap((row) =>
    Array.from(
      row.groups?.['names']?.matchAll(/`(?<name>\w+)`/g) ?? [],
      (found) =>
        [found.groups?.['name'] ?? '', row.groups?.['sections']?.split(', ') ?? []] as const,
    ),
  ),
);
