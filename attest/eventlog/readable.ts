// The one place where bytes that are not what their event type says become "not readable" instead of
// an error: firmware is sloppy about descriptions, and a log does not fail for that.
import { TidelockError } from '#agent/base/errors.ts';

/** What `read` returns; undefined when it ends in EVIDENCE_MALFORMED. Errors: any other. */
export function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TidelockError && error.code === 'EVIDENCE_MALFORMED') return undefined;
    throw error;
  }
}
