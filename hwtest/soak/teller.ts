// How a client inside a pod tells what it got: answers a few times a second, failures at once. Nothing
// of what it asks for.
import type { Said } from './said.ts';

const TELL_EVERY_MS = 250;
/** An answer that takes longer is none. */
export const ANSWER_WITHIN_MS = 15_000;

/** A connection of a client, for whoever looks for what ended it. */
export interface Connection {
  readonly name: string;
  /** Wall time in ms. */
  readonly openedAt: number;
}

let tookMs: number[] = [];

const say = (line: Said): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

setInterval(() => {
  if (tookMs.length > 0) say({ tookMs });
  tookMs = [];
}, TELL_EVERY_MS);

/** A request was answered rightly, that was asked at `sinceMs` of performance.now(). */
export const answered = (sinceMs: number): void =>
  void tookMs.push(Math.round((performance.now() - sinceMs) * 1_000) / 1_000);

/** The client saw what it was not to see. */
export const failed = ({ name, openedAt }: Connection, what: string): void =>
  say({ at: Date.now(), connection: name, openedAt, what });

/** What an error is called by those who look for it: its code, or else its message. */
export const nameOf = (error: unknown): string => {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  return `${typeof code === 'string' ? `${code} ` : ''}${message ?? String(error)}`.slice(0, 200);
};
