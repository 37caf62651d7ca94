// Which network namespaces there are to look in: those of the inventory's pods, and on request every
// one of the machine, for pods that have left the inventory while no agent ran.
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Context } from '#agent/doctor/context.ts';

export interface Namespace {
  /** A pod as `namespace/name`, or `net:[4026532281]`. */
  readonly name: string;
  /** For setns(2). */
  readonly path: string;
}

/** Pods of the inventory whose namespace is found. Errors: CONFIG_INVALID, INVENTORY_INVALID. */
export async function podNamespaces(context: Context): Promise<readonly Namespace[]> {
  const pods = await context.pods();
  return pods.flatMap(({ name, netns }) => ('path' in netns ? [{ name, path: netns.path }] : []));
}

/** Every namespace of the machine that a process lives in or a mount holds, but the node's own. */
export async function everyNamespace(): Promise<readonly Namespace[]> {
  const own = await readlink('/proc/self/ns/net');
  const pids = (await readdir('/proc')).filter((name) => /^[1-9]\d*$/.test(name));
  const found = new Map<string, string>();
  for (const pid of pids) {
    const path = `/proc/${pid}/ns/net`;
    const name = await readlink(path).catch(() => undefined);
    if (name !== undefined) found.set(name, path);
  }
  for (const [name, path] of mountedNamespaces(await readFile('/proc/self/mountinfo', 'utf8'))) {
    found.set(name, path); // a mount outlives the processes
  }
  found.delete(own);
  return [...found].map(([name, path]) => ({ name, path }));
}

/** Namespaces held by a mount, as `ip netns add` does: name to mount point (proc_pid_mountinfo(5)). */
export const mountedNamespaces = (mountinfo: string): ReadonlyMap<string, string> =>
  new Map(
    mountinfo.split('\n').flatMap((line): [string, string][] => {
      const [, , , root = '', point = ''] = line.split(' ');
      return root.startsWith('net:[') ? [[root, point]] : [];
    }),
  );
