// What a leak run found: counts of everything that two agents and their pods hold, before, each so many
// connections, and after, and which of them grew beyond what is stated here.
import type { Ledger } from '#hwtest/suites/ledger.ts';

export interface LeakRow {
  /** Connections made until then. */
  readonly connections: number;
  readonly counts: Ledger['counts'];
}

/** A count that may not be what it is. */
export interface Growth {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly allowed: number;
}

export interface LeakResult {
  readonly apiVersion: 'tidelock/v1';
  readonly kind: 'Leak';
  readonly connections: number;
  readonly opened: number;
  readonly failed: number;
  readonly seconds: number;
  /** The first one after a warm-up: caches have their size by then. */
  readonly rows: readonly LeakRow[];
  readonly grew: readonly Growth[];
  readonly ok: boolean;
}

/** Sockets that are made in advance for busy pods, by all workers of a node (proxy/socketPool.ts). */
const POOL_SOCKETS = 600;
/** Of a heap that is collected when it is worth the while. */
const MEMORY = { factor: 1.25, mib: 32 } as const;

/** Fewer connections hide what is lost with one in a thousand. */
const LEAST_CONNECTIONS = 10_000;

/** Whether so many connections show a leak. */
export const isLongEnough = (connections: number): boolean => connections >= LEAST_CONNECTIONS;

/** What a count may have become. */
function allowedFor(name: string, before: number): number {
  if (name.endsWith(' MiB')) return Math.round(before * MEMORY.factor + MEMORY.mib);
  return name.endsWith(': tcp') ? before + POOL_SOCKETS : before;
}

/** Memory of a collected heap goes up and down: what of it remains is the least of so many last rows. */
const LAST_ROWS = 3;

/** Which counts of the last row are above what the first one allows; memory: of the last three. */
export function growthOf(rows: readonly LeakRow[]): readonly Growth[] {
  const [first, last] = [rows[0]?.counts ?? {}, rows.at(-1)?.counts ?? {}];
  const latest = rows.slice(1).slice(-LAST_ROWS);
  const least = (name: string): number =>
    Math.min(...latest.map(({ counts }) => counts[name] ?? Infinity));
  return Object.entries(last).flatMap(([name, now]) => {
    const after = name.endsWith(' MiB') && latest.length > 0 ? least(name) : now;
    const before = first[name] ?? 0;
    const allowed = allowedFor(name, before);
    return after > allowed ? [{ name, before, after, allowed }] : [];
  });
}

function verdictOf({ ok, grew, failed, connections }: LeakResult): string {
  if (ok) return 'Nothing leaks.';
  if (grew.length > 0 || failed > 0) return 'Something leaks, or connections failed.';
  if (!isLongEnough(connections)) {
    return `Too short to judge: make ${LEAST_CONNECTIONS} connections at least.`;
  }
  return 'Stopped before all connections were made.';
}

const line = (name: string, cells: readonly (number | string)[]): string =>
  `${name.padEnd(44)}${cells.map((cell) => String(cell).padStart(10)).join('')}`;

/** For people: a column for each row, and one for what the last of them may be. */
export function leakText(result: LeakResult): string {
  const { rows, grew, opened, failed, seconds } = result;
  const first = Object.entries(rows[0]?.counts ?? {});
  return [
    line('connections', [...rows.map(({ connections }) => connections), 'allowed']),
    ...first.map(([name, before]) =>
      line(name, [...rows.map(({ counts }) => counts[name] ?? 0), allowedFor(name, before)]),
    ),
    '',
    `${opened} connections in ${Math.round(seconds)} s, ${failed} failed`,
    ...grew.map(
      ({ name, before, after, allowed }) =>
        `GREW: ${name} from ${before} to ${after}, allowed are ${allowed}`,
    ),
    verdictOf(result),
    '',
  ].join('\n');
}
