// Why a tracer ended, as an error with its remedy: what the machine lacks for bpftrace, looked at after
// it has failed, never before: what works is right.
import { existsSync, readFileSync } from 'node:fs';
import { TidelockError } from '#agent/base/errors.ts';
import type { TracerEnd } from './tracer.ts';

/** What is looked at. Both answer for what cannot be read as if it were not there. */
export interface Machine {
  exists(path: string): boolean;
  /** Effective capabilities as a bit set (capabilities(7)). */
  capabilities(): bigint;
}

export const thisMachine: Machine = {
  exists: existsSync,
  capabilities: () => {
    try {
      const status = readFileSync('/proc/thread-self/status', 'latin1');
      return BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    } catch {
      return 0n;
    }
  },
};

/** What is known of a tracer that has ended. */
export interface Failure {
  readonly end: TracerEnd;
  /** The end of what it said. */
  readonly stderr: string;
  /** It had reported events before. */
  readonly ran: boolean;
  /** It was ended by its supervisor because it said nothing any more. */
  readonly silent: boolean;
}

/** Bits of capabilities(7). */
const CAP_SYS_ADMIN = 1n << 21n;
const CAP_PERFMON = 1n << 38n;
const CAP_BPF = 1n << 39n;

const TRACEFS = ['/sys/kernel/tracing/events', '/sys/kernel/debug/tracing/events'];
const BTF = '/sys/kernel/btf/vmlinux';

/** PROBES_UNAVAILABLE when the machine lacks something, else PROBES_FAILED with its last words. */
export function diagnose(failure: Failure, machine: Machine): TidelockError {
  const lack = failure.ran ? undefined : lackOf(failure, machine);
  if (lack) {
    return new TidelockError('PROBES_UNAVAILABLE', {
      op: 'probes.start',
      message: `Cannot start probes: ${lack.what}`,
      hint: lack.remedy,
    });
  }
  return new TidelockError('PROBES_FAILED', {
    op: 'probes.run',
    message: `Cannot keep probes running: bpftrace ${manner(failure)}`,
    hint: `It is started anew by itself; until then no event is seen. ${lastWords(failure.stderr)}`,
  });
}

interface Lack {
  readonly what: string;
  readonly remedy: string;
}

function lackOf({ end, stderr }: Failure, machine: Machine): Lack | undefined {
  if (end.spawnErrno === 'ENOENT') {
    return {
      what: 'bpftrace is not installed',
      remedy: 'Install the Debian package bpftrace, or set probes.enabled to false.',
    };
  }
  const held = machine.capabilities();
  const may =
    (held & CAP_SYS_ADMIN) !== 0n || (held & (CAP_BPF | CAP_PERFMON)) === (CAP_BPF | CAP_PERFMON);
  if (!may || stderr.includes('as the root user')) {
    return {
      what: 'the agent may not trace',
      remedy:
        'Run it as root with CAP_BPF and CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8), or set probes.enabled to false.',
    };
  }
  if (!TRACEFS.some((path) => machine.exists(path))) {
    return {
      what: 'tracefs is not mounted',
      remedy:
        'Mount it (mount -t tracefs tracefs /sys/kernel/tracing); in a container, mount that directory of the host.',
    };
  }
  if (!machine.exists(BTF)) {
    return {
      what: 'the kernel has no type information (BTF)',
      remedy: `Use a kernel built with CONFIG_DEBUG_INFO_BTF; ${BTF} must be there.`,
    };
  }
  const tracepoint = /tracepoint not found: (\S{1,100})/.exec(stderr)?.[1];
  if (tracepoint !== undefined) {
    return {
      what: `the kernel has no tracepoint ${tracepoint}`,
      remedy: 'Use a kernel of 5.10 or later with CONFIG_TRACEPOINTS and networking tracepoints.',
    };
  }
  if (/operation not permitted|permission denied/i.test(stderr)) {
    return {
      what: 'the kernel forbids tracing',
      remedy:
        'Kernel lockdown or a security module may be in the way: look at /sys/kernel/security/lockdown and at the profile of the container.',
    };
  }
  return undefined;
}

function manner({ end, silent }: Failure): string {
  if (silent) return 'said nothing any more and was ended';
  if (end.spawnErrno !== undefined) return `could not be started (${end.spawnErrno})`;
  return end.signal === null ? `ended with exit code ${end.code}` : `was ended by ${end.signal}`;
}

/** bpftrace says this one whenever it may not lock memory, and it never matters. */
const NOISE = /RLIMIT_MEMLOCK|Addrspace is not set/;

function lastWords(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !NOISE.test(line));
  return lines.length === 0
    ? 'It said nothing.'
    : `It said: ${lines.slice(-3).join(' / ').slice(-400)}`;
}
