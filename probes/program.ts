// The one bpftrace program: every probe's own file joined, the heartbeat last.
import { readFileSync } from 'node:fs';
import { TidelockError, messageOf } from '#agent/base/errors.ts';

/** Each named by itself, so that a bundle knows what to carry along. */
const EXEC = new URL('./exec.bt', import.meta.url);
const EXEC_RAW = new URL('./execRaw.bt', import.meta.url);
const REST: readonly URL[] = [
  new URL('./connect.bt', import.meta.url),
  new URL('./accept.bt', import.meta.url),
  new URL('./close.bt', import.meta.url),
  new URL('./pods.bt', import.meta.url),
  new URL('./bypass.bt', import.meta.url),
  new URL('./heartbeat.bt', import.meta.url),
];

/** A version of bpftrace: major and minor. */
export type BpftraceVersion = readonly [number, number];

/** The first bpftrace that is given raw tracepoints: 0.17 has none, 0.23 reads no path without. */
const FIRST_WITH_RAW: BpftraceVersion = [0, 21];

/** Its files for this bpftrace; undefined: for one that is not known. */
export function partsFor(version: BpftraceVersion | undefined): readonly URL[] {
  const [major, minor] = version ?? [0, 0];
  const [firstMajor, firstMinor] = FIRST_WITH_RAW;
  const hasRaw = major > firstMajor || (major === firstMajor && minor >= firstMinor);
  return [hasRaw ? EXEC_RAW : EXEC, ...REST];
}

/**
 * The text of the program. Its parameters: `$1` the network namespace of the node, `$2` the process of the
 * agent, `$3` 1 where captured pods take plaintext from outside, else 0. Errors: PROBES_UNAVAILABLE.
 */
export function probeProgram(parts: readonly URL[]): string {
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
