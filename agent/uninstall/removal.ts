// Removes traces in the order of the inventory. One that cannot be removed stops none of the others.
import { asTidelockError } from '#agent/base/errors.ts';
import type { Trace } from './trace.ts';

export interface Removed {
  readonly trace: Trace;
  readonly outcome: 'was not there' | 'removed' | 'kept' | 'not removed';
  /** Why it was not removed. */
  readonly problem?: string;
}

/** What became of each trace. */
export async function removeTraces(
  traces: readonly Trace[],
  { keepState }: { readonly keepState: boolean },
): Promise<readonly Removed[]> {
  const outcomes: Removed[] = [];
  for (const trace of traces) outcomes.push(await removed(trace, keepState));
  return outcomes;
}

async function removed(trace: Trace, keepState: boolean): Promise<Removed> {
  if (trace.presence === 'absent') return { trace, outcome: 'was not there' };
  if (trace.presence === 'unknown') {
    return { trace, outcome: 'not removed', problem: trace.note ?? 'it could not be looked at' };
  }
  if (keepState && trace.loses !== undefined) return { trace, outcome: 'kept' };
  try {
    await trace.remove();
    return { trace, outcome: 'removed' };
  } catch (thrown) {
    const { message, hint } = asTidelockError(thrown, 'uninstall');
    return { trace, outcome: 'not removed', problem: `${message}. ${hint}` };
  }
}
