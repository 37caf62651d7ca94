// Who listens on TCP in this network namespace, and whether that is tidelock, as /proc tells
// (proc_pid_net(5), proc_pid_maps(5)). It opens no socket.
import { readdir, readFile, readlink } from 'node:fs/promises';

export interface Listening {
  /** `0.0.0.0` and `::` are every address. */
  readonly address: string;
  readonly port: number;
  /** Inode of the socket, by which a process that holds it is found. */
  readonly inode: string;
}

/** State LISTEN of include/net/tcp_states.h. */
const LISTEN = '0A';

/** Listening sockets in the text of /proc/net/tcp or tcp6. */
export const listeningIn = (table: string): Listening[] =>
  table.split('\n').flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    return state === LISTEN && inode !== ''
      ? [{ address: addressOf(address), port: Number.parseInt(port, 16), inode }]
      : [];
  });

/** All listening sockets of the namespace that `proc` shows. */
export async function listening(proc = '/proc/net'): Promise<readonly Listening[]> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`${proc}/${name}`, 'latin1').catch(() => '')),
  );
  return tables.flatMap(listeningIn);
}

/** A process that has the socket open and may be looked into; undefined when there is none. */
export async function holderOf(inode: string): Promise<number | undefined> {
  const wanted = `socket:[${inode}]`;
  const pids = (await readdir('/proc')).filter((name) => /^[1-9]\d*$/.test(name));
  for (const pid of pids) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const links = await Promise.all(
      fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
    );
    if (links.includes(wanted)) return Number(pid);
  }
  return undefined;
}

/** Name of the replay set's and the counters' memory in /proc/PID/maps (memfd_create(2)). */
/** Of proc_pid_maps(5): a line of shared memory that has no file. */
const MEMORY = / 00:01 \d+ +\/memfd:tidelock-(?:replay|counters) \(deleted\)$/m;

/** Whether a process has the memory of an agent mapped: it is one, or the data plane of one. */
export async function isOfTidelock(pid: number): Promise<boolean> {
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
  return MEMORY.test(maps);
}

/** The kernel prints addresses as 32-bit words in the byte order of the machine, which is little-endian. */
function addressOf(hexText: string): string {
  const words = hexText.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex').reverse()]);
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
