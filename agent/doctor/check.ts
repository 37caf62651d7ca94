// What a check of `tidelock doctor` is and what it can find. A check looks and says; it changes
// nothing on the machine, and what it makes to try something ends with it.
import type { ExitCode } from '#agent/base/codes.ts';
import type { Context } from './context.ts';

export type State = 'pass' | 'warn' | 'fail' | 'skip';

/** What was seen, and for anything but a pass why it is so and what to do. */
export interface Finding {
  readonly state: State;
  /** One sentence about this machine. */
  readonly observed: string;
  readonly cause?: string;
  readonly remedy?: string;
}

/** What `tidelock doctor explain` says without looking at anything. */
export interface Explanation {
  readonly looksAt: string;
  readonly neededFor: string;
  readonly usualCause: string;
  readonly remedy: string;
}

export interface Check {
  /** Stable, lower case with dashes. */
  readonly id: string;
  readonly title: string;
  readonly explanation: Explanation;
  /** Exit code of a fail that no error code stands behind. */
  readonly exit: ExitCode;
  /** Ids of checks that must not have failed or been skipped; else this one is skipped. */
  readonly needs: readonly string[];
  /** The longest it may take; 10 s when absent. */
  readonly limitMs?: number;
  /** Errors: a TidelockError is a fail with its message, hint and exit code. */
  run(context: Context, signal: AbortSignal): Promise<Finding>;
}

/** Everything is as it should be. */
export const pass = (observed: string): Finding => ({ state: 'pass', observed });

/** The check does not apply here. */
export const skip = (observed: string): Finding => ({ state: 'skip', observed });

/** The agent works, yet an operator should know. */
export const warn = (observed: string, cause: string, remedy: string): Finding => ({
  state: 'warn',
  observed,
  cause,
  remedy,
});

/** The agent will not work, or not as configured. */
export const fail = (observed: string, cause: string, remedy: string): Finding => ({
  state: 'fail',
  observed,
  cause,
  remedy,
});
