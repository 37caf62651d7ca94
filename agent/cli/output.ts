// How results and errors look: one JSON document on standard output, or text. Nothing is printed
// anywhere else by a verb that was asked for JSON.
import type { TidelockError } from '#agent/base/errors.ts';
import type { OutputForm } from './verb.ts';
import type { Terminal } from './terminal.ts';

/** Prints a result of `kind`: the document, or its text. */
export function printResult(
  to: { readonly terminal: Terminal; readonly output: OutputForm },
  kind: string,
  document: object,
  text: string,
): void {
  const { terminal, output } = to;
  if (output === 'json') {
    terminal.out(`${JSON.stringify({ apiVersion: 'tidelock/v1', kind, ...document })}\n`);
  } else terminal.out(text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints an error: `{"error":{...}}` on standard output, or text on standard error. */
export function printError(terminal: Terminal, error: TidelockError, output: OutputForm): void {
  if (output === 'json') terminal.out(`${JSON.stringify({ error })}\n`);
  else terminal.err(`${errorText(error)}\n`);
}

/** `error CODE: message`, then the hint on a line of its own. */
export const errorText = (error: TidelockError): string =>
  `error ${error.code}: ${error.message}\n  hint: ${error.hint}`;
