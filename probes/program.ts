// The one bpftrace program: every probe's own file joined, the heartbeat last.
import { readFileSync } from 'node:fs';
import { TidelockError, messageOf } from '#agent/base/errors.ts';

const PARTS = ['exec', 'connect', 'accept', 'close', 'bypass', 'bypassVeth', 'heartbeat'] as const;

/**
 * The text of the program; `$1` in it is the network namespace of the node. `directory` has the `.bt`
 * files and is this one by default. Errors: PROBES_UNAVAILABLE.
 */
export function probeProgram(directory: URL = new URL('.', import.meta.url)): string {
  try {
    return PARTS.map((part) => readFileSync(new URL(`${part}.bt`, directory), 'utf8')).join('\n');
  } catch (cause) {
    throw new TidelockError('PROBES_UNAVAILABLE', {
      op: 'probes.start',
      message: `Cannot start probes: a .bt file cannot be read: ${messageOf(cause)}`,
      hint: 'The .bt files of probes/ must lie beside the program; install tidelock again.',
      cause,
    });
  }
}
