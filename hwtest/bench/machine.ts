// What the figures were measured on: processor, cores, kernel, versions, and the offloads of the
// interfaces between the namespaces, which flatter every proxy alike.
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { run } from '#agent/base/run.ts';
import { execIn, type Argv, type Place } from '#hwtest/rig/program.ts';
import type { Subject } from './subject.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  /** True under a hypervisor (`hypervisor` in /proc/cpuinfo). */
  readonly isVirtual: boolean;
  /** First line that each program says of its version. */
  readonly programs: Readonly<Record<string, string>>;
  /** State of the segmentation offloads of a pod's veth, `on` or `off` by name. */
  readonly offloads: Readonly<Record<string, string>>;
  /** Bytes; jumbo frames would flatter everybody too. */
  readonly mtu: number;
  /** Of the minute before: what else the machine had to do. */
  readonly loadAverage: number;
}

const PROGRAMS: Readonly<Record<string, Argv>> = {
  haproxy: ['haproxy', '-v'],
  nginx: ['nginx', '-v'],
  stunnel: ['stunnel4', '-version'],
  wireguard: ['wireguard-go', '--version'],
  iperf3: ['iperf3', '--version'],
  openssl: ['openssl', 'version'],
};
const OFFLOADS = [
  'tcp-segmentation-offload',
  'generic-segmentation-offload',
  'generic-receive-offload',
  'tx-checksumming',
];

/** As the client of a subject sees it. Errors: those of `run`; programs and ethtool may be missing. */
export async function machineOf({ client: { place } }: Subject): Promise<Machine> {
  const [cpu] = cpus();
  const link = await execIn(place, ['ip', '-o', 'link', 'show', 'dev', 'eth0']);
  return {
    processor: cpu?.model ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    isVirtual: /^flags\s.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')),
    loadAverage: loadavg()[0] ?? Number.NaN,
    programs: { node: process.version, ...(await versions()) },
    offloads: await offloadsOf(place),
    mtu: Number(/ mtu (\d+) /.exec(link.stdout.toString())?.[1]),
  };
}

async function versions(): Promise<Record<string, string>> {
  const entries = await Promise.all(
    Object.entries(PROGRAMS).map(async ([name, argv]) => {
      const said = await run(argv).catch(() => undefined);
      const text = `${said?.stdout.toString() ?? ''}\n${said?.stderr ?? ''}`;
      const line = text.split('\n').find((each) => /\d+\.\d+/.test(each));
      return [name, line?.trim().slice(0, 60) ?? 'unknown'] as const;
    }),
  );
  return Object.fromEntries(entries);
}

async function offloadsOf(place: Place): Promise<Record<string, string>> {
  const said = await execIn(place, ['ethtool', '-k', 'eth0']).catch(() => undefined);
  const text = said?.stdout.toString() ?? '';
  return Object.fromEntries(
    OFFLOADS.map((name) => [
      name,
      new RegExp(`^${name}: (on|off)`, 'm').exec(text)?.[1] ?? 'unknown',
    ]),
  );
}
