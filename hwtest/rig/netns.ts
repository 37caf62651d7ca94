// Network namespaces of a rig, kept as mounts under the rig's own directory: nothing is made in
// /run/netns and no interface ever exists in the namespace of the machine.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { run } from '#agent/base/run.ts';

/** A namespace: the path of its mount, as `nsenter --net=` and `ip link ... netns` take it. */
export interface Netns {
  readonly name: string;
  readonly path: string;
}

/** Creates a namespace with loopback up, held by a mount at `<dir>/<name>`. */
export async function createNetns(dir: string, name: string): Promise<Netns> {
  const path = `${dir}/${name}`;
  writeFileSync(path, '');
  await run(['unshare', `--net=${path}`, '--', 'ip', 'link', 'set', 'lo', 'up']);
  return { name, path };
}

/** Runs `ip` commands, one a line, inside a namespace. Errors: those of `run`. */
export const ip = async (netns: Netns, commands: readonly string[]): Promise<void> => {
  await run(['nsenter', `--net=${netns.path}`, '--', 'ip', '-batch', '-'], {
    input: `${commands.join('\n')}\n`,
  });
};

/** Mount points at or below `dir`, deepest first, as this process sees them. */
export const mountsUnder = (dir: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === dir || point.startsWith(`${dir}/`))
    .sort((a, b) => b.length - a.length);

/** Unmounts everything below `dir`, then deletes it. */
export async function removeDir(dir: string): Promise<void> {
  for (const point of mountsUnder(dir)) {
    // Another clean-up may have been faster; what counts is that it is gone.
    await run(['umount', point], { okCodes: [0, 1, 32] });
  }
  if (existsSync(dir)) rmSync(dir, { recursive: true, force: true });
}
