// Checks of what probes need of the machine: type information, tracefs, bpftrace. None is a
// prerequisite where the configuration switches probes off.
import { EXIT } from '#agent/base/codes.ts';
import { fail, pass, skip, warn, type Check } from './check.ts';
import { readable } from './host.ts';
import { installing, missingPrograms } from './programs.ts';

const BTF = '/sys/kernel/btf/vmlinux';

const btf: Check = {
  id: 'btf',
  title: 'kernel type information',
  explanation: {
    looksAt: `Whether ${BTF} can be read.`,
    neededFor: 'Probes tell pods apart by the network namespace, which they find through BTF.',
    usualCause: 'The kernel was built without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted here.',
    remedy: 'Use a kernel with CONFIG_DEBUG_INFO_BTF=y (every Debian kernel has it); mount sysfs.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async () => {
    const { usualCause, remedy } = btf.explanation;
    return (await readable(BTF))
      ? pass(`${BTF} is there`)
      : fail(`${BTF} cannot be read`, usualCause, remedy);
  },
};

/** Where tracefs is mounted, the newer place first. */
const TRACEFS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];

const tracefs: Check = {
  id: 'tracefs',
  title: 'tracefs',
  explanation: {
    looksAt: `Whether ${TRACEFS.join(' or ')} lists the kernel’s tracepoints.`,
    neededFor: 'bpftrace finds tracepoints there; without it no probe can be attached.',
    usualCause:
      'tracefs is not mounted in this mount namespace; containers have none of their own.',
    remedy:
      'mount -t tracefs tracefs /sys/kernel/tracing, or mount the host’s directory into the container.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async () => {
    const { usualCause, remedy } = tracefs.explanation;
    for (const place of TRACEFS) {
      if (await readable(`${place}/events/sched/sched_process_exec/id`)) return pass(place);
    }
    return fail(`no tracepoints in ${TRACEFS.join(' or ')}`, usualCause, remedy);
  },
};

/** The version that the probes were written for. */
const TESTED = [0, 17] as const;

const bpftrace: Check = {
  id: 'bpftrace',
  title: 'bpftrace',
  explanation: {
    looksAt: 'Whether bpftrace is on the PATH, and its version.',
    neededFor: 'Probes: which pod starts what, connects where, and talks past its lanes.',
    usualCause: 'The package bpftrace is not installed.',
    remedy: installing(['bpftrace']),
  },
  exit: EXIT.missing,
  needs: [],
  run: async (context) => {
    const { usualCause, remedy } = bpftrace.explanation;
    const missing = await missingPrograms(['bpftrace'], context.env);
    if (missing.length > 0) return fail('bpftrace not on the PATH', usualCause, remedy);
    const { stdout } = await context.run(['bpftrace', '--version']);
    const text = stdout.toString().trim();
    const [, major, minor] = /v(\d+)\.(\d+)/.exec(text) ?? [];
    const old = Number(major) === TESTED[0] && Number(minor) < TESTED[1];
    return old
      ? warn(
          `${text}, older than ${TESTED.join('.')}`,
          'An old distribution.',
          'Install a newer one.',
        )
      : pass(text);
  },
};

/** `check`, skipped where nobody wants probes; a configuration that cannot be read wants them. */
export const whereWanted = (check: Check): Check => ({
  ...check,
  run: async (context, signal) => {
    const wanted = await context.config().then(
      ({ probes }) => probes.enabled,
      () => true,
    );
    return wanted ? check.run(context, signal) : skip('probes.enabled is false');
  },
});

export const TRACING_CHECKS: readonly Check[] = [btf, tracefs, bpftrace].map(whereWanted);
