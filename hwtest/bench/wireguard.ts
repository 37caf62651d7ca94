// WireGuard in user space between the nodes of a rig, as a CNI would use it: what the pods of one pair
// send each other goes through the tunnel, and nothing else does.
import { writeFileSync } from 'node:fs';
import { run, type RunResult } from '#agent/base/run.ts';
import { execIn, spawnIn, waitFor, type Program } from '#hwtest/rig/program.ts';
import { ip } from '#hwtest/rig/netns.ts';
import type { Rig, RigNode, RigPod } from '#hwtest/rig/rig.ts';
import type { Pair } from './pair.ts';

const INTERFACE = 'wg0';
const PORT = 51_820;
/** 1500 less IPv6, UDP and WireGuard headers, as wg-quick(8) sets it. */
const MTU = 1420;

/**
 * wireguard-go has its control socket in /run/wireguard, the same for every namespace of the machine: it
 * gets a /run that nobody else sees. In a container /run is no mount point of its own, but / is.
 */
const OWN_RUN = [
  'unshare',
  '--mount',
  '--propagation',
  'unchanged',
  '--',
  'sh',
  '-c',
  '{ mount --make-slave /run 2>/dev/null || mount --make-slave /; } && mount -t tmpfs tmpfs /run && exec "$@"',
  'sh',
] as const;

interface End {
  readonly node: RigNode;
  /** The pod behind the node. */
  readonly pod: RigPod;
  readonly privateKey: string;
  readonly publicKey: string;
}

/** Pids of the two processes. Errors: RIG_PROGRAM, those of `run`. */
export async function startWireguard(rig: Rig, { client, server }: Pair): Promise<number[]> {
  const a = await endOf(rig, client);
  const b = await endOf(rig, server);
  for (const { place } of [client, server]) await ip(place.netns, [`link set eth0 mtu ${MTU}`]);
  return [await startEnd(a, b), await startEnd(b, a)];
}

async function endOf(rig: Rig, pod: RigPod): Promise<End> {
  const privateKey = (await run(['wg', 'genkey'])).stdout.toString().trim();
  const { stdout } = await run(['wg', 'pubkey'], { input: privateKey });
  return { node: rig.node(pod.node), pod, privateKey, publicKey: stdout.toString().trim() };
}

async function startEnd(own: End, other: End): Promise<number> {
  const { place, dir } = own.node;
  const file = `${dir}/wireguard.conf`;
  writeFileSync(file, configOf(own, other), { mode: 0o600 });
  const program = spawnIn(place, [...OWN_RUN, 'wireguard-go', '-f', INTERFACE], {
    name: 'wireguard-go',
    logFile: `${dir}/wireguard.log`,
    env: { LOG_LEVEL: 'error' },
  });
  await waitFor(program, 'its control socket', () => configure(own.node, program, file));
  await ip(place.netns, [
    `link set ${INTERFACE} mtu ${MTU} up`,
    `route add ${other.pod.address}/32 dev ${INTERFACE}`,
  ]);
  return program.pid;
}

/**
 * Runs wg(8) where the process `pid` sees its control socket: by its root as well, since that of the mount
 * namespace is another one in a chroot.
 */
export const wg = (
  { place }: RigNode,
  pid: number,
  ...args: readonly string[]
): Promise<RunResult> =>
  execIn(place, [
    'nsenter',
    `--mount=/proc/${pid}/ns/mnt`,
    `--root=/proc/${pid}/root`,
    '--',
    'wg',
    ...args,
  ]);

/** False while there is no socket yet. */
const configure = (node: RigNode, { pid }: Program, file: string): Promise<boolean> =>
  wg(node, pid, 'setconf', INTERFACE, file)
    .then(() => true)
    .catch(() => false);

/** wg(8), "CONFIGURATION FILE FORMAT". */
const configOf = (own: End, other: End): string =>
  [
    '[Interface]',
    `PrivateKey = ${own.privateKey}`,
    `ListenPort = ${PORT}`,
    '[Peer]',
    `PublicKey = ${other.publicKey}`,
    `Endpoint = ${other.node.address}:${PORT}`,
    `AllowedIPs = ${other.pod.address}/32`,
    '',
  ].join('\n');
