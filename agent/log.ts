// The structured log: one JSON object a line by pino, and the last events kept for `status`. Secrets are
// bytes everywhere in tidelock and bytes are never printed, so none can get in here by mistake. Every
// event and its meaning is in docs/logs.md.
import { pino } from 'pino';
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

/** One line per connection: too many for the few events that `status` shows. */
const NOT_KEPT: ReadonlySet<string> = new Set(['lane.closed']);

export interface LogInit {
  /** Events below it are neither written nor kept. */
  readonly level: Level;
  readonly clock: Clock;
  /** Takes one line that ends in a newline. */
  readonly write: (line: string) => void;
  readonly ring?: EventRing;
}

/** A log that writes lines of JSON: `{"level","at","event",...fields}`. */
export function createLog({ level, clock, write, ring }: LogInit): Log {
  const logger = pino(
    {
      level,
      base: null, // no process id and host name: each line comes from the one agent of its node
      timestamp: false,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const method =
    (of: Level): LogMethod =>
    (event, fields = {}) => {
      if (!logger.isLevelEnabled(of)) return;
      const at = clock.wallMs();
      logger[of]({ at: new Date(at).toISOString(), event, ...printableFields(fields) });
      if (NOT_KEPT.has(event)) return;
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
const MAX_DEPTH = 8;

/** The types keep bytes out already; this is for a value whose type was lost on the way here. */
function printable(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.slice(0, MAX_TEXT_CHARS);
  if (value instanceof TidelockError) return value.toJSON();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[deeper]';
  if (!Array.isArray(value)) return printableFields(value, depth);
  return value.slice(0, MAX_ITEMS).map((item) => printable(item, depth + 1));
}

function printableFields(fields: object, depth = 0): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, MAX_ITEMS)
      .map(([key, inner]) => [key, printable(inner, depth + 1)]),
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
