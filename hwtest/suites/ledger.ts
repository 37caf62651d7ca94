// What the processes of an agent hold, counted from /proc: descriptors by kind, memory, network
// namespaces, and what stands in the pods. Two ledgers side by side show a leak. Changes nothing.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cgroupPids } from '#hwtest/rig/cgroup.ts';
import type { TwoNodes } from './twoNodes.ts';

export interface Ledger {
  /** Counts by name; of memory, MiB. */
  readonly counts: Readonly<Record<string, number>>;
  /** Command lines of the rig's processes, by pid. */
  readonly processes: ReadonlyMap<number, string>;
}

export interface Holder {
  readonly name: string;
  readonly pid: number;
}

/** The rows of each process, of each pod, and of the rig as a whole. */
export async function takeLedger(both: TwoNodes, holders: readonly Holder[]): Promise<Ledger> {
  const rows: [string, number][] = holders.flatMap(({ name, pid }) =>
    Object.entries({ ...descriptors(pid), 'RSS MiB': residentMib(pid) }).map(
      ([kind, n]): [string, number] => [`${name}: ${kind}`, n],
    ),
  );
  for (const pod of both.rig.pods) {
    const { stdout } = await both.rig.exec(pod, ['nft', 'list', 'ruleset']);
    rows.push([`pod ${pod.name}: rule lines`, stdout.toString().split('\n').length]);
    const { stdout: tcp } = await both.rig.exec(pod, ['cat', '/proc/self/net/tcp']);
    const sockets = tcp.toString().match(LISTENING)?.length ?? 0;
    rows.push([`pod ${pod.name}: listeners`, sockets]);
  }
  const groups = both.rig.nodes.map(({ place }) => place.cgroup);
  const pids = groups.flatMap(cgroupPids);
  rows.push(['rig: processes', pids.length]);
  rows.push(['rig: network namespaces in use', new Set(pids.map(netnsOf)).size]);
  const processes = new Map(pids.map((pid) => [pid, commandLine(pid)]));
  return { counts: Object.fromEntries(rows), processes };
}

/** `before` and `after` as lines of a table. */
export const ledgerTable = ({ counts: before }: Ledger, { counts: after }: Ledger): string => {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return [
    line('', 'before', 'after'),
    ...names.map((name) => line(name, String(before[name] ?? 0), String(after[name] ?? 0))),
  ].join('\n');
};

/** Processes of one ledger only: an agent that was started again is among those gone and those new. */
export const processChanges = (
  { processes: before }: Ledger,
  { processes: after }: Ledger,
): string => [...missingIn(after, before, 'gone'), ...missingIn(before, after, 'new')].join('\n');

type Processes = Ledger['processes'];

const missingIn = (these: Processes, those: Processes, word: string): string[] =>
  [...those].filter(([pid]) => !these.has(pid)).map(([pid, line]) => `${word}: ${pid} ${line}`);

const MAX_COMMAND_CHARS = 200;

/** State LISTEN of include/net/tcp_states.h, after the remote port. */
const LISTENING = /:[0-9A-F]{4} 0A /g;

const line = (a: string, b: string, c: string): string =>
  `    ${a.padEnd(44)}${b.padStart(8)}${c.padStart(8)}`;

const KINDS = ['tcp', 'unix', 'memfd', 'pipe', 'anon', 'file'] as const;
type Kind = (typeof KINDS)[number];

/** Open descriptors of a process by kind; those that close meanwhile are left out. */
function descriptors(pid: number): Record<Kind, number> {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<Kind, number>;
  const unix = inodesOf(`/proc/${pid}/net/unix`);
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = linkOf(`/proc/${pid}/fd/${fd}`);
    if (target !== undefined) counts[kindOf(target, unix)] += 1;
  }
  return counts;
}

function kindOf(target: string, unix: ReadonlySet<string>): Kind {
  const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
  if (inode !== undefined) return unix.has(inode) ? 'unix' : 'tcp';
  if (target.startsWith('/memfd:')) return 'memfd';
  if (target.startsWith('pipe:')) return 'pipe';
  return target.startsWith('anon_inode:') ? 'anon' : 'file'; // of which one a captured pod's namespace
}

/** The 7th column of /proc/PID/net/unix; abstract and unnamed sockets are listed as well. */
const inodesOf = (path: string): ReadonlySet<string> =>
  new Set(
    readFileSync(path, 'latin1')
      .split('\n')
      .flatMap((line) => line.trim().split(/\s+/)[6] ?? []),
  );

/** Its own: the replay set, which two processes share, fills up with use to a size that is fixed. */
function residentMib(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** Arguments without their zeros, at a length that fits a line. */
function commandLine(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    return text.replaceAll('\0', ' ').trim().slice(0, MAX_COMMAND_CHARS);
  } catch {
    return 'it ended meanwhile';
  }
}

const netnsOf = (pid: number): string => linkOf(`/proc/${pid}/ns/net`) ?? '';

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
