// The one bpftrace program: every probe's own file joined, the heartbeat last.
import { readFileSync } from 'node:fs';
import { TidelockError, messageOf } from '#agent/base/errors.ts';

/** Each named by itself, so that a bundle knows what to carry along. */
const PARTS: readonly URL[] = [
  new URL('./exec.bt', import.meta.url),
  new URL('./connect.bt', import.meta.url),
  new URL('./accept.bt', import.meta.url),
  new URL('./close.bt', import.meta.url),
  new URL('./pods.bt', import.meta.url),
  new URL('./bypass.bt', import.meta.url),
  new URL('./heartbeat.bt', import.meta.url),
];

/**
 * The text of the program. Its parameters: `$1` the network namespace of the node, `$2` the process of the
 * agent, `$3` 1 where captured pods take plaintext from outside, else 0. Errors: PROBES_UNAVAILABLE.
 */
export function probeProgram(parts = PARTS): string {
  try {
    return parts.map((part) => readFileSync(part, 'utf8')).join('\n');
  } catch (cause) {
    throw new TidelockError('PROBES_UNAVAILABLE', {
      op: 'probes.start',
      message: `Cannot start probes: a .bt file cannot be read: ${messageOf(cause)}`,
      hint: 'The .bt files of probes/ must lie beside the program; install tidelock again.',
      cause,
    });
  }
}
