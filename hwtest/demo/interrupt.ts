// The end of a demo that somebody asked for before there was a result: one error, wherever it happens.
import { TidelockError } from '#agent/base/errors.ts';

const interrupted = (): TidelockError =>
  new TidelockError('DEMO_INTERRUPTED', {
    op: 'demo.run',
    message: 'Cannot finish the demo: it was interrupted before there was a result',
    hint: 'Everything it had made was removed; run it again and wait for the live view.',
  });

/** Errors: DEMO_INTERRUPTED once the signal came. */
export function refuseWhenEnded(ended: AbortSignal): void {
  if (ended.aborted) throw interrupted();
}

/** `work`, given up when the signal comes. Errors: those of `work`, DEMO_INTERRUPTED. */
export const unlessEnded = <T>(work: Promise<T>, ended: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    const end = (): void => reject(interrupted());
    if (ended.aborted) end();
    ended.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => ended.removeEventListener('abort', end));
  });
