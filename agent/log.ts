// The structured log: one JSON object a line, and the last events kept for `status`. Secrets are
// bytes everywhere in tidelock and bytes are never printed, so none can get in here by mistake.
import type { Clock } from '#agent/base/clock.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** What may be logged. A TidelockError is written with its code, hint and all. */
export type LogValue = Json | TidelockError | undefined;

export interface LogFields {
  /** One sentence for people; `status` shows it. Without it the other fields are shown. */
  readonly text?: string;
  readonly [field: string]: LogValue;
}

/** `event` is a stable name such as `lane.refused`. */
export type LogMethod = (event: string, fields?: LogFields) => void;

export interface Log {
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
}

/** An event as `status` shows it. */
export interface LogEvent {
  /** Unix milliseconds. */
  readonly at: number;
  readonly level: Level;
  readonly code: string;
  readonly text: string;
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

export interface LogInit {
  /** Events below it are neither written nor kept. */
  readonly level: Level;
  readonly clock: Clock;
  /** Takes one line that ends in a newline. */
  readonly write: (line: string) => void;
  readonly ring?: EventRing;
}

/** A log that writes lines of JSON: `{"at","level","event",...fields}`. */
export function createLog({ level, clock, write, ring }: LogInit): Log {
  const method =
    (of: Level): LogMethod =>
    (event, fields = {}) => {
      if (RANK[of] < RANK[level]) return;
      const at = clock.wallMs();
      const line = { at: new Date(at).toISOString(), level: of, event, ...fields };
      write(`${JSON.stringify(printable(line))}\n`);
      ring?.add({ at, level: of, code: codeOf(event, fields), text: textOf(fields) });
    };
  return {
    debug: method('debug'),
    info: method('info'),
    warn: method('warn'),
    error: method('error'),
  };
}

/** The last `size` events, oldest first. */
export class EventRing {
  readonly #size: number;
  readonly #events: LogEvent[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  add(event: LogEvent): void {
    this.#events.push(event);
    if (this.#events.length > this.#size) this.#events.shift();
  }

  events(): readonly LogEvent[] {
    return [...this.#events];
  }
}

const MAX_TEXT_CHARS = 4_096;
const MAX_ITEMS = 64;

/** The types keep bytes out already; this is for a value whose type was lost on the way here. */
function printable(value: unknown): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_TEXT_CHARS);
  if (value instanceof TidelockError) return value.toJSON();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map(printable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ITEMS)
      .map(([key, inner]) => [key, printable(inner)]),
  );
}

function codeOf(event: string, fields: LogFields): string {
  const failed = Object.values(fields).find((value) => value instanceof TidelockError);
  return failed === undefined ? event : failed.code;
}

function textOf(fields: LogFields): string {
  if (fields.text !== undefined) return fields.text.slice(0, MAX_TEXT_CHARS);
  const parts = Object.entries(fields).map(([key, value]) =>
    value instanceof TidelockError ? value.message : `${key}=${JSON.stringify(printable(value))}`,
  );
  return parts.join(' ').slice(0, MAX_TEXT_CHARS);
}
