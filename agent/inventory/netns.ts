// From what the inventory says about a pod's place, a path of a network namespace or a cgroup, to the
// namespace itself. The node's own namespace is never a pod's: a redirect there would cut the node off.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#agent/base/errors.ts';

/** Where the inventory says that a pod lives. */
export type PodPlace =
  | { readonly kind: 'netns'; readonly path: string }
  | { readonly kind: 'cgroup'; readonly path: string };

export type PodNetns =
  | {
      /** For setns(2), as long as the pod lives. */
      readonly path: string;
      /** `device:inode` of the namespace, the same for every path to it. */
      readonly id: string;
    }
  | { readonly problem: string };

/** A pod's cgroup has one directory a container, which may have some of their own. */
const MAX_CGROUP_DEPTH = 3;
const MAX_CGROUP_DIRECTORIES = 64;

/** The network namespace at `place`; `proc` is where procfs is mounted. */
export async function resolveNetns(place: PodPlace, proc = '/proc'): Promise<PodNetns> {
  const found = place.kind === 'netns' ? await idOf(place.path) : await inCgroup(place.path, proc);
  if ('problem' in found) return found;
  // Of the thread that looks: the main thread may be inside a pod at this moment, making sockets there.
  const own = await idOf(join(proc, 'thread-self', 'ns', 'net'));
  if ('problem' in own) return own;
  return found.id === own.id
    ? { problem: 'it is in the network namespace of the node itself, which lanes never carry' }
    : found;
}

async function idOf(path: string): Promise<PodNetns> {
  try {
    const { dev, ino } = await stat(path);
    return { path, id: `${dev}:${ino}` };
  } catch (cause) {
    return { problem: `network namespace cannot be opened: ${messageOf(cause)}` };
  }
}

async function inCgroup(cgroup: string, proc: string): Promise<PodNetns> {
  let directories: readonly string[] = [cgroup];
  let visited = 0;
  try {
    for (let depth = 0; depth <= MAX_CGROUP_DEPTH; depth += 1) {
      const below: string[] = [];
      for (const directory of directories) {
        visited += 1;
        if (visited > MAX_CGROUP_DIRECTORIES) break;
        const netns = await ofFirstProcess(directory, proc);
        if (netns) return netns;
        const entries = await readdir(directory, { withFileTypes: true });
        below.push(...entries.filter((e) => e.isDirectory()).map((e) => join(directory, e.name)));
      }
      directories = below;
    }
  } catch (cause) {
    return { problem: `cgroup cannot be read: ${messageOf(cause)}` };
  }
  return { problem: `no process runs in cgroup ${cgroup} yet` };
}

async function ofFirstProcess(directory: string, proc: string): Promise<PodNetns | undefined> {
  const pids = await pidsIn(directory);
  for (const pid of pids) {
    const netns = await idOf(join(proc, pid, 'ns', 'net'));
    // A pid can be given to another process between the two reads: it must still be in the cgroup.
    if ('id' in netns && (await pidsIn(directory)).includes(pid)) return netns;
  }
  return undefined;
}

async function pidsIn(directory: string): Promise<string[]> {
  const text = await readFile(join(directory, 'cgroup.procs'), 'utf8');
  return text.split('\n').filter((line) => /^[1-9]\d*$/.test(line)); // 0 is a pid of another pid namespace
}
