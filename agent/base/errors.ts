// The one error type. It is thrown or logged, never both; expected refusals are values instead.
import { CODES, type ErrorCode, type ExitCode } from './codes.ts';

export interface TidelockErrorInit {
  /** What was being done, as `noun.verb`: `tpm.quote`, `config.load`. */
  readonly op: string;
  /** `Cannot <action> <subject>: <state>`. */
  readonly message: string;
  /** The likely cause and the remedy, in one or two sentences. */
  readonly hint: string;
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

export class TidelockError extends Error {
  override readonly name = 'TidelockError';
  readonly code: ErrorCode;
  readonly op: string;
  readonly hint: string;
  readonly retryable: boolean;
  readonly exitCode: ExitCode;

  constructor(code: ErrorCode, init: TidelockErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.op = init.op;
    this.hint = init.hint;
    this.retryable = init.retryable ?? CODES[code].retryable;
    this.exitCode = CODES[code].exit;
  }

  toJSON(): ErrorJson {
    const { code, op, message, hint, retryable } = this;
    return { code, op, message, hint, retryable };
  }
}

/** What `-o json` prints under `error`. */
export interface ErrorJson {
  readonly code: ErrorCode;
  readonly op: string;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
}

/** Any thrown value as a TidelockError; what is not ours becomes INTERNAL and keeps its cause. */
export function asTidelockError(thrown: unknown, op: string): TidelockError {
  if (thrown instanceof TidelockError) return thrown;
  return new TidelockError('INTERNAL', {
    op,
    message: `Cannot complete ${op}: ${messageOf(thrown)}`,
    hint: 'This is a defect in tidelock; please report it with the log around this line.',
    cause: thrown,
  });
}

/** The message of any thrown value, for use inside a larger sentence. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Whether something thrown is a system error of this code (`ENOENT`). */
export const hasCode = (thrown: unknown, code: string): boolean =>
  thrown instanceof Error && 'code' in thrown && thrown.code === code;
