// What a rig needs of the machine, looked at before anything is changed: root, programs, kernel
// features. Kernel features are tried in a namespace that nobody can see and that ends with the try.
import { accessSync, constants } from 'node:fs';
import { TidelockError } from '#agent/base/errors.ts';
import { run } from '#agent/base/run.ts';
import { cgroupMount } from './cgroup.ts';

/** One thing that is missing: what, and what to do about it. */
export interface Problem {
  readonly what: string;
  readonly remedy: string;
}

/** Program to Debian package. */
const PROGRAMS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  swtpm: 'swtpm',
  swtpm_setup: 'swtpm-tools',
  swtpm_localca: 'swtpm-tools',
  tpm2_pcrextend: 'tpm2-tools',
  'nats-server': 'nats-server',
  openssl: 'openssl',
  nginx: 'nginx-light',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  'redis-benchmark': 'redis-tools',
  curl: 'curl',
  tcpdump: 'tcpdump',
};

/** Kernel feature to the commands that need it, run in a namespace of their own. */
const FEATURES: Readonly<Record<string, string>> = {
  'veth interfaces (CONFIG_VETH)': 'ip link add v0 type veth peer name v1',
  'bridges (CONFIG_BRIDGE)': 'ip link add v0 type bridge',
  'nftables nat redirect and fib (CONFIG_NFT_REDIR, CONFIG_NFT_FIB_INET)': [
    'nft add table inet t',
    "nft add chain inet t c '{ type nat hook output priority -100 ; }'",
    'nft add rule inet t c fib daddr type local return',
    'nft add rule inet t c meta l4proto tcp redirect to :1',
  ].join(' && '),
};

/** Everything that is missing for root to build a rig. Changes nothing. */
export async function preflight(): Promise<readonly Problem[]> {
  if (process.platform !== 'linux') {
    return [{ what: `this is ${process.platform}`, remedy: 'Run it on Linux.' }];
  }
  const programs = missingPrograms();
  if (programs.length > 0) return programs;
  const cgroups =
    cgroupMount() === undefined
      ? [
          {
            what: 'no cgroup v2 hierarchy is mounted',
            remedy:
              'Mount it (mount -t cgroup2 none /sys/fs/cgroup/unified), or boot with systemd.unified_cgroup_hierarchy=1.',
          },
        ]
      : [];
  return [...cgroups, ...(await missingFeatures())];
}

/** Errors: ROOT_REQUIRED. */
export function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new TidelockError('ROOT_REQUIRED', {
    op: 'rig.preflight',
    message: 'Cannot build or remove a rig: not root',
    hint: 'Network namespaces, cgroups and nftables need root: run it as root, for example with sudo.',
  });
}

/** Errors: ROOT_REQUIRED, or RIG_PREREQUISITE with every problem and its remedy. */
export async function requirePreflight(): Promise<void> {
  requireRoot();
  const problems = await preflight();
  if (problems.length === 0) return;
  throw new TidelockError('RIG_PREREQUISITE', {
    op: 'rig.preflight',
    message: `Cannot build a rig: ${problems.map((p) => p.what).join('; ')}`,
    hint: problems.map((p) => p.remedy).join(' '),
  });
}

const missingPrograms = (): Problem[] =>
  Object.entries(PROGRAMS)
    .filter(([program]) => !isOnPath(program))
    .map(([program, debianPackage]) => ({
      what: `${program} is not installed`,
      remedy: `Install the Debian package ${debianPackage}.`,
    }));

const isOnPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(':').some((dir) => {
    try {
      accessSync(`${dir}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

async function missingFeatures(): Promise<Problem[]> {
  const tried = await Promise.all(
    Object.entries(FEATURES).map(async ([feature, commands]) => {
      const { code, stderr } = await run(['unshare', '--net', 'sh', '-c', commands], {
        okCodes: Array.from({ length: 256 }, (_, n) => n),
      });
      if (code === 0) return [];
      return [
        {
          what: `the kernel has no ${feature} (${stderr.trim().split('\n').at(-1) ?? ''})`,
          remedy:
            'Load the module or use a kernel that has it; in a container, network namespaces need CAP_SYS_ADMIN and CAP_NET_ADMIN.',
        },
      ];
    }),
  );
  return tried.flat();
}
