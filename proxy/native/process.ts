// What a process or thread can ask of the kernel about itself and Node does not offer: giving up privileges
// for good by prctl(2) and capabilities(7), giving way by sched_yield(2).
import { Buffer } from 'node:buffer';
import { checked, libc } from './libc.ts';

const prctl: (option: number, a: number, b: number, c: number, d: number) => number = libc.func(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);

const setrlimit: (resource: number, limit: Buffer) => number = libc.func(
  'int setrlimit(int resource, const void *limit)',
);

const getrlimit: (resource: number, limit: Buffer) => number = libc.func(
  'int getrlimit(int resource, void *limit)',
);
const schedYield: () => number = libc.func('int sched_yield()');

const RLIMIT_CORE = 4;
const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;
const PR_SET_DUMPABLE = 4;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
/** Highest number the kernel's 64-bit capability sets can hold. */
const LAST_POSSIBLE_CAPABILITY = 63;

/** No exec of this thread, its future threads and children can gain privilege (no_new_privs). */
export const setNoNewPrivileges = (): void => {
  checked('prctl', prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
};

/**
 * No core dump, no ptrace and no /proc/PID/mem for anyone but root. The limit holds where the kernel
 * would make this process dumpable again (a set-uid exec, prctl(2)), and in its children.
 */
export const setUndumpable = (): void => {
  checked('setrlimit', setrlimit(RLIMIT_CORE, Buffer.alloc(16))); // soft and hard: 0 bytes
  checked('prctl', prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
};

/**
 * No further process or thread for this process, for good, unless it is privileged (getrlimit(2)); the
 * threads it has go on.
 */
export const forbidTasks = (): void => {
  checked('setrlimit', setrlimit(RLIMIT_NPROC, Buffer.alloc(16))); // soft and hard: 0 tasks
};

/** Raises the soft limit of open files to the hard one; how many that is (getrlimit(2)). */
export function raiseDescriptorLimit(): number {
  const limit = Buffer.alloc(16); // soft, hard
  checked('getrlimit', getrlimit(RLIMIT_NOFILE, limit));
  const hard = limit.readBigUInt64LE(8);
  limit.writeBigUInt64LE(hard, 0);
  checked('setrlimit', setrlimit(RLIMIT_NOFILE, limit));
  return Number(hard);
}

/** Empties the bounding set of this thread and of threads it makes later. Needs CAP_SETPCAP. */
export function emptyBoundingSet(): void {
  for (let capability = 0; capability <= LAST_POSSIBLE_CAPABILITY; capability += 1) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) === 1) {
      checked('prctl', prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
    }
  }
}

/** Lets another thread that waits for this processor run before this one goes on; none: goes on. */
export const giveWay = (): void => void schedYield();
