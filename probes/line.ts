// One line of `bpftrace -f json` as a value. Whatever it is given, it answers and does not throw.
import { z } from 'zod';
import { acceptSighting } from './accept.ts';
import { bypassSighting } from './bypass.ts';
import { netns } from './cells.ts';
import { closeSighting } from './close.ts';
import { connectSighting } from './connect.ts';
import { PROBE_KINDS, type ProbeKind } from './events.ts';
import { execSighting } from './exec.ts';

const SIGHTINGS = {
  exec: execSighting,
  connect: connectSighting,
  accept: acceptSighting,
  close: closeSighting,
  bypass: bypassSighting,
} as const satisfies Record<ProbeKind, z.ZodType>;

/** What a probe saw, still by inode and address and not by name. */
export type Sighting = z.output<(typeof SIGHTINGS)[ProbeKind]>;

export type Line =
  | { readonly kind: 'sighting'; readonly sighting: Sighting }
  | { readonly kind: 'heartbeat' }
  /** Events that bpftrace could not hand out in time, since the last such line. */
  | { readonly kind: 'lost'; readonly count: number }
  /** Events over the budget, since bpftrace started. */
  | { readonly kind: 'limited'; readonly total: number }
  /** Packets past a redirect that were over it, by namespace, since bpftrace started. */
  | { readonly kind: 'untold'; readonly byNetns: ReadonlyMap<number, number> }
  /** A namespace whose packets are looked at, and where: on so many devices. */
  | { readonly kind: 'watched'; readonly netns: number; readonly devices: number }
  /** Nothing to know: what bpftrace says when it starts and ends. */
  | { readonly kind: 'other' }
  | { readonly kind: 'unreadable' };

const count = z.int().min(0);
const envelope = z.discriminatedUnion('type', [
  z.object({ type: z.literal('value'), data: z.array(z.unknown()).min(1) }),
  z.object({ type: z.literal('lost_events'), data: z.object({ events: count }) }),
  z.object({ type: z.literal('map'), data: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('attached_probes'), data: z.unknown() }),
  z.object({ type: z.literal('helper_error'), helper: z.string() }),
]);
const overByKind = z.record(z.string(), count);
const untoldByNetns = z
  .record(z.string(), count)
  .transform((byNetns) => new Map(Object.entries(byNetns).map(([inode, n]) => [Number(inode), n])));
const watched = z.tuple([z.literal('pod'), netns, count]);

const OTHER: Line = { kind: 'other' };
const UNREADABLE: Line = { kind: 'unreadable' };
const HEARTBEAT: Line = { kind: 'heartbeat' };

/** Reads one line, without its newline, as latin1 text. */
export function readLine(text: string): Line {
  if (text === '') return OTHER;
  const parsed = envelope.safeParse(parseJson(withBytes(text)));
  if (!parsed.success) return UNREADABLE;
  const line = parsed.data;
  switch (line.type) {
    case 'value':
      return readValue(line.data);
    case 'lost_events':
      return { kind: 'lost', count: line.data.events };
    case 'map':
      return readMap(line.data);
    case 'attached_probes':
      return OTHER; // printed even when attaching fails afterwards: no sign of anything
    case 'helper_error': // told by bpftrace 0.23: deleting what is not there is no error of ours
      return line.helper === 'map_delete_elem' ? OTHER : UNREADABLE;
  }
}

function readValue(data: readonly unknown[]): Line {
  const [kind] = data;
  if (kind === 'hb') return HEARTBEAT;
  if (kind === 'pod') {
    const { data: line } = watched.safeParse(data);
    return line ? { kind: 'watched', netns: line[1], devices: line[2] } : UNREADABLE;
  }
  const known = PROBE_KINDS.find((each) => each === kind);
  if (known === undefined) return UNREADABLE;
  const parsed = SIGHTINGS[known].safeParse(data.map(textOfBytes));
  return parsed.success ? { kind: 'sighting', sighting: parsed.data } : UNREADABLE;
}

/** bpftrace prints every map when it ends; only those of heartbeat.bt are of interest. */
function readMap(data: Readonly<Record<string, unknown>>): Line {
  const { '@over': over, '@untold': untold } = data;
  if (untold !== undefined) {
    const parsed = untoldByNetns.safeParse(untold);
    return parsed.success ? { kind: 'untold', byNetns: parsed.data } : UNREADABLE;
  }
  if (over === undefined) return OTHER;
  const parsed = overByKind.safeParse(over);
  if (!parsed.success) return UNREADABLE;
  return { kind: 'limited', total: Object.values(parsed.data).reduce((sum, n) => sum + n, 0) };
}

/**
 * bpftrace 0.17 prints a byte of 0x80 or more as a sign-extended `\uffffffXX`: here it becomes the
 * character with that number. An escaped backslash before such letters stays what it is.
 */
const withBytes = (text: string): string =>
  text.replaceAll(/\\\\|\\uffffff([89a-f][0-9a-f])/g, (whole: string, byte?: string) =>
    byte === undefined ? whole : String.raw`\u00${byte}`,
  );

/** The text whose UTF-8 bytes the characters of a string stand for. */
const textOfBytes = (cell: unknown): unknown =>
  typeof cell === 'string' ? Buffer.from(cell, 'latin1').toString('utf8') : cell;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
