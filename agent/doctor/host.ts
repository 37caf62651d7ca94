// Checks of the machine itself: privilege, kernel, and what may run out.
import { access, constants, readFile, statfs } from 'node:fs/promises';
import { arch, release } from 'node:os';
import { dirname } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import type { LaneLimits } from '#proxy/snapshot.ts';
import { fail, pass, skip, warn, type Check } from './check.ts';

/** capabilities(7), by bit, and what of the agent needs each. */
const CAPABILITIES: Readonly<Record<number, readonly [name: string, need: string]>> = {
  6: ['CAP_SETGID', 'the data plane becomes a user of its own'],
  7: ['CAP_SETUID', 'the data plane becomes a user of its own'],
  8: ['CAP_SETPCAP', 'the data plane empties its bounding set'],
  12: ['CAP_NET_ADMIN', 'nftables in pods'],
  19: ['CAP_SYS_PTRACE', 'network namespaces of pods by their processes'],
  21: ['CAP_SYS_ADMIN', 'setns into pods'],
  23: ['CAP_SYS_NICE', 'the data plane runs before the control plane'],
  38: ['CAP_PERFMON', 'probes'],
  39: ['CAP_BPF', 'probes'],
};

const root: Check = {
  id: 'root',
  title: 'privileges',
  explanation: {
    looksAt: 'The user id and the effective capabilities of this process (/proc/self/status).',
    neededFor:
      'The control plane enters pods’ network namespaces, loads nftables and attaches probes; the data plane then gives up all of it.',
    usualCause:
      'The command runs as an ordinary user, or in a container without these capabilities.',
    remedy:
      'Run it as root (sudo tidelock doctor); in Kubernetes add the capabilities to the securityContext.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async () => {
    const { usualCause, remedy } = root.explanation;
    if (process.getuid?.() !== 0) {
      return fail(`the user id is ${process.getuid?.()}, not 0`, usualCause, remedy);
    }
    const held = BigInt(
      `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
    );
    const lacking = Object.entries(CAPABILITIES).filter(
      ([bit]) => (held & (1n << BigInt(bit))) === 0n,
    );
    if (lacking.length === 0) return pass('root, with every capability that the agent needs');
    const listed = lacking.map(([, [name, need]]) => `${name} (${need})`).join(', ');
    return fail(`root without ${listed}`, usualCause, remedy);
  },
};

/** What CAP_BPF, close_range and the nftables features used came with; older ones are not tested. */
const OLDEST_KERNEL = [5, 10] as const;

const kernel: Check = {
  id: 'kernel',
  title: 'kernel',
  explanation: {
    looksAt: 'The kernel’s release, the processor architecture and the lockdown mode.',
    neededFor:
      'Structures of the C library and the kernel are those of 64-bit Linux 5.10 and later.',
    usualCause: 'An old distribution kernel, or one started with lockdown=confidentiality.',
    remedy:
      'Boot a kernel of 5.10 or later; with lockdown use integrity instead of confidentiality.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async () => {
    const { usualCause, remedy } = kernel.explanation;
    const text = `Linux ${release()} on ${arch()}`;
    if (!['x64', 'arm64'].includes(arch())) return fail(text, usualCause, 'Use x64 or arm64.');
    const [major = 0, minor = 0] = release().split('.', 2).map(Number);
    const [oldest, oldestMinor] = OLDEST_KERNEL;
    if (major < oldest || (major === oldest && minor < oldestMinor)) {
      return fail(`${text}, older than ${OLDEST_KERNEL.join('.')}`, usualCause, remedy);
    }
    const lockdown = await readFile('/sys/kernel/security/lockdown', 'utf8').catch(() => '');
    return lockdown.includes('[confidentiality]')
      ? warn(`${text}, lockdown is confidentiality: probes cannot read memory`, usualCause, remedy)
      : pass(text);
  },
};

const MIN_DESCRIPTORS = 1_024;
/** 8,000 lanes, what a data plane keeps back, and pools of sockets. */
const GOOD_DESCRIPTORS = 18_000;
/** Fuller than this, there is little room for new connections. */
const FULL_SHARE = 0.8;

const descriptors: Check = {
  id: 'descriptors',
  title: 'descriptor limit',
  explanation: {
    looksAt:
      'The hard limit of open files of the running agent, or of this process if none runs, how many its data plane has open, and whether lanes.limits allow one pod or peer more lanes than there is room for.',
    neededFor: 'Each lane takes two descriptors of the data plane, each pod some dozens in stock.',
    usualCause: 'The default of the login or the service manager was never raised.',
    remedy: 'Set LimitNOFILE=1048576 in the unit, or ulimit -n in the shell that starts the agent.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async (context) => {
    const { usualCause, remedy } = descriptors.explanation;
    const status = await context.status().catch(() => undefined);
    const pid = status?.agent.pid ?? 'self';
    const limits = await readFile(`/proc/${pid}/limits`, 'utf8');
    const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '0';
    if (hard === 'unlimited') return pass('no limit of open files');
    const room = Math.floor(Number(hard) / 2);
    const text = `at most ${hard} open files, room for about ${room} lanes`;
    if (Number(hard) < MIN_DESCRIPTORS) return fail(text, usualCause, remedy);
    const { openFds = 0, maxFds = Infinity } = status?.processes?.data ?? {};
    if (openFds > FULL_SHARE * maxFds) {
      const full = `${openFds} of ${maxFds} open files of the data plane are in use`;
      return warn(full, 'More connections live than the limit was made for.', remedy);
    }
    if (Number(hard) < GOOD_DESCRIPTORS) return warn(text, usualCause, remedy);
    // The check goes on without a configuration, of which the check `config` says more.
    const config = await context.config().catch(() => undefined);
    const beyond = config ? limitsBeyond(config.lanes.limits, room) : [];
    if (beyond.length === 0) return pass(text);
    return warn(
      `${text}, fewer than ${beyond.join(' and ')}`,
      'The limit of open files is below what one pod or peer may take: it can leave none to the others.',
      `${remedy} Or lower lanes.limits.`,
    );
  },
};

/** Which caps of lanes are none where there is room for `room` lanes, by name and value. */
export const limitsBeyond = (
  limits: Pick<LaneLimits, 'perPodLanes' | 'perPeerLanes'>,
  room: number,
): string[] =>
  (['perPodLanes', 'perPeerLanes'] as const).flatMap((name) =>
    limits[name] > room ? [`lanes.limits.${name} (${limits[name]})`] : [],
  );

const CONNTRACK = '/proc/sys/net/netfilter';

const conntrack: Check = {
  id: 'conntrack',
  title: 'connection tracking',
  explanation: {
    looksAt: `How many connections the kernel tracks in this namespace and how many it may (${CONNTRACK}).`,
    neededFor: 'The redirect is a NAT rule: each connection of a pod is tracked.',
    usualCause:
      'nf_conntrack_max is small for this node, or something opens connections without end.',
    remedy: 'sysctl -w net.netfilter.nf_conntrack_max=262144, and look at conntrack -S for drops.',
  },
  exit: EXIT.missing,
  needs: [],
  run: async () => {
    const { usualCause, remedy } = conntrack.explanation;
    const [max, count] = await Promise.all(
      ['nf_conntrack_max', 'nf_conntrack_count'].map((name) =>
        readFile(`${CONNTRACK}/${name}`, 'utf8').then(Number, () => Number.NaN),
      ),
    );
    if (max === undefined || count === undefined || Number.isNaN(max) || Number.isNaN(count)) {
      return skip('nf_conntrack is not loaded; the first rule loads it');
    }
    const text = `${count} of ${max} connections tracked`;
    return count > FULL_SHARE * max ? fail(text, usualCause, remedy) : pass(text);
  },
};

const MIN_FREE_BYTES = 64 << 20;
const GOOD_FREE_BYTES = 512 << 20;

const disk: Check = {
  id: 'disk',
  title: 'state directory',
  explanation: {
    looksAt: 'Free space where paths.stateDir is or will be, and whether it can be written to.',
    neededFor: 'Enrolment, reports and audit are kept there.',
    usualCause: 'The disk is full, mounted read-only, or not the one that was meant.',
    remedy: 'Make room, or name another directory in paths.stateDir.',
  },
  exit: EXIT.missing,
  needs: ['config'],
  run: async (context) => {
    const { usualCause, remedy } = disk.explanation;
    const { paths } = await context.config();
    const place = await nearest(paths.stateDir);
    const { bavail, bsize } = await statfs(place);
    const free = bavail * bsize;
    const text = `${Math.floor(free / (1 << 20))} MiB free at ${place}`;
    const writable = await access(place, constants.W_OK).then(
      () => true,
      () => false,
    );
    if (!writable) return fail(`${place} cannot be written to`, usualCause, remedy);
    if (free < MIN_FREE_BYTES) return fail(text, usualCause, remedy);
    return free < GOOD_FREE_BYTES ? warn(text, usualCause, remedy) : pass(text);
  },
};

/** Whether this process may read what is at `path`. */
export const readable = (path: string): Promise<boolean> =>
  access(path, constants.R_OK).then(
    () => true,
    () => false,
  );

/** `path`, or the nearest directory above it that is there. */
async function nearest(path: string): Promise<string> {
  return (await readable(path)) || path === '/' ? path : nearest(dirname(path));
}

/** Checks that need no configuration but where one says where to look. */
export const HOST_CHECKS: readonly Check[] = [root, kernel];
/** Checks of what may run out. */
export const LIMIT_CHECKS: readonly Check[] = [descriptors, conntrack, disk];
