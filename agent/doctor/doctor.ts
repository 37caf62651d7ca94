// Runs checks: side by side, each bounded in time, each after those it needs. One that breaks is a
// finding like any other and hides none of the rest.
import { EXIT, type ExitCode } from '#agent/base/codes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError, TidelockError } from '#agent/base/errors.ts';
import { fail, skip, type Check, type Finding } from './check.ts';
import type { Context } from './context.ts';

/** A finding with the check it belongs to. */
export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
  readonly tookMs: number;
  /** Of a fail: the exit code it stands for. */
  readonly exit?: ExitCode;
}

export interface Examination {
  readonly context: Context;
  readonly clock: Clock;
  /** Ends everything; checks that have not ended are skipped. */
  readonly signal: AbortSignal;
  /** Told each second which checks still run. */
  readonly onWaiting: (ids: readonly string[]) => void;
}

const DEFAULT_LIMIT_MS = 10_000;
const PROGRESS_MS = 1_000;

/** Every check's result, in the order of `checks`; a check may only need ones before it. */
export async function examine(
  checks: readonly Check[],
  { context, clock, signal, onWaiting }: Examination,
): Promise<readonly Result[]> {
  const results = new Map<string, Promise<Result>>();
  const running = new Set<string>();
  const one = async (check: Check): Promise<Result> => {
    const missing = await firstMissing(check, results);
    const startedMs = clock.monoMs();
    running.add(check.id);
    const { finding, exit } = missing
      ? { finding: skip(`needs the check ${missing}, which did not pass`) }
      : await bounded(check, context, signal);
    running.delete(check.id);
    const { id, title } = check;
    const tookMs = Math.round(clock.monoMs() - startedMs);
    return { id, title, ...finding, tookMs, ...(exit === undefined ? {} : { exit }) };
  };
  for (const check of checks) results.set(check.id, one(check));
  const ticker = setInterval(() => {
    if (running.size > 0) onWaiting([...running]);
  }, PROGRESS_MS);
  try {
    return await Promise.all(results.values());
  } finally {
    clearInterval(ticker);
  }
}

async function firstMissing(
  { needs }: Check,
  results: ReadonlyMap<string, Promise<Result>>,
): Promise<string | undefined> {
  for (const id of needs) {
    const state = (await results.get(id))?.state;
    if (state !== 'pass' && state !== 'warn') return id;
  }
  return undefined;
}

interface Outcome {
  readonly finding: Finding;
  readonly exit?: ExitCode;
}

async function bounded(check: Check, context: Context, signal: AbortSignal): Promise<Outcome> {
  const { limitMs = DEFAULT_LIMIT_MS, explanation } = check;
  const timer = new AbortController();
  const timeout = setTimeout(() => timer.abort(), limitMs);
  const end = AbortSignal.any([signal, timer.signal]);
  const ended = Promise.withResolvers<never>();
  const onEnd = (): void => ended.reject(end.reason);
  end.addEventListener('abort', onEnd);
  try {
    end.throwIfAborted();
    const finding = await Promise.race([check.run(context, end), ended.promise]);
    return finding.state === 'fail' ? { finding, exit: check.exit } : { finding };
  } catch (thrown) {
    if (signal.aborted) return { finding: skip('interrupted') };
    if (timer.signal.aborted) {
      const observed = `no answer within ${limitMs / 1000} s`;
      return {
        finding: fail(observed, explanation.usualCause, explanation.remedy),
        exit: EXIT.unreachable,
      };
    }
    const error = thrown instanceof TidelockError ? thrown : asTidelockError(thrown, check.id);
    return {
      finding: fail(error.message, explanation.usualCause, error.hint),
      exit: error.exitCode,
    };
  } finally {
    clearTimeout(timeout);
    end.removeEventListener('abort', onEnd);
  }
}

/** Of several fails the first of these speaks for all: what is missing is to be mended before the rest. */
const GRAVEST_FIRST: readonly ExitCode[] = [
  EXIT.missing,
  EXIT.usage,
  EXIT.notVerified,
  EXIT.malformed,
  EXIT.unreachable,
  EXIT.internal,
];

/** The exit code of an examination: 0 when nothing failed; `interrupted` ones never say 0. */
export function exitOf(results: readonly Result[], interrupted: boolean): ExitCode {
  const exits = new Set(results.flatMap(({ exit }) => (exit === undefined ? [] : [exit])));
  const gravest = GRAVEST_FIRST.find((exit) => exits.has(exit));
  return gravest ?? (interrupted ? EXIT.internal : EXIT.ok);
}
