// A mount namespace with tracefs for one program: bpftrace needs it, and few machines have it mounted.
// The machine's own mounts stay as they are.
import type { Argv } from './program.ts';

/** Runs what follows with tracefs, or without where it cannot be mounted; it stays the same process. */
export const WITH_TRACEFS: Argv = [
  'unshare',
  '--mount',
  '--propagation',
  'unchanged', // of /, which is no mount point inside a chroot
  '--',
  'sh',
  '-c',
  '[ -d /sys/kernel/tracing/events ] || { mount --make-slave /sys && mount -t tracefs tracefs /sys/kernel/tracing; }; exec "$@"',
  'sh',
];
