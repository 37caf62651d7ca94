// The network of a rig: a bridge in a namespace of its own joins the nodes and the bus; each node
// has a bridge for its pods and forwards to the pod networks of the others, as a CNI would set it up.
//
//   switch 198.18.0.0/24 ── bus    198.18.0.2, and .3 and .4 for more servers
//          │ ├──────────── node 1  198.18.0.11 ── pods 198.19.1.0/24
//          │ └──────────── node 2  198.18.0.12 ── pods 198.19.2.0/24
//
// On request nodes and pods have IPv6 addresses beside: fd18::11 ── fd19:1::11.
import { run } from '#agent/base/run.ts';
import { createNetns, ip, type Netns } from './netns.ts';

/** Benchmarking networks (RFC 2544, RFC 6890): never routed, so nothing on the machine uses them. */
export const BUS_ADDRESSES = ['198.18.0.2', '198.18.0.3', '198.18.0.4'] as const;
export const nodeAddress = (index: number): string => `198.18.0.${10 + index}`;
export const podAddress = (nodeIndex: number, podIndex: number): string =>
  `198.19.${nodeIndex}.${10 + podIndex}`;
export const nodeAddress6 = (index: number): string => `fd18::${10 + index}`;
export const podAddress6 = (nodeIndex: number, podIndex: number): string =>
  `fd19:${nodeIndex}::${10 + podIndex}`;
const podGateway = (nodeIndex: number): string => `198.19.${nodeIndex}.1`;
const podNetwork = (nodeIndex: number): string => `198.19.${nodeIndex}.0/24`;
const podGateway6 = (nodeIndex: number): string => `fd19:${nodeIndex}::1`;
const podNetwork6 = (nodeIndex: number): string => `fd19:${nodeIndex}::/64`;

/** The bridge that all traffic between nodes crosses. */
export const SWITCH_INTERFACE = 'br0';

export interface Fabric {
  readonly dir: string;
  readonly switch: Netns;
  readonly bus: Netns;
  /** Nodes and pods have IPv6 addresses too. */
  readonly ipv6: boolean;
}

/** The switch and the namespace of the bus; `dir` holds the namespaces. */
export async function createFabric(dir: string, ipv6: boolean): Promise<Fabric> {
  const fabric = {
    dir,
    switch: await createNetns(dir, 'switch'),
    bus: await createNetns(dir, 'bus'),
    ipv6,
  };
  await ip(fabric.switch, [
    `link add ${SWITCH_INTERFACE} type bridge`,
    `link set ${SWITCH_INTERFACE} up`,
  ]);
  const [first, ...others] = BUS_ADDRESSES;
  await plug(fabric.switch, SWITCH_INTERFACE, 'bus', fabric.bus, `${first}/24`);
  await ip(
    fabric.bus,
    others.map((address) => `addr add ${address}/24 dev eth0`),
  );
  return fabric;
}

/** Node `index` (from 1) of `count`, with routes to the pods of all others. */
export async function createNode(
  fabric: Fabric,
  name: string,
  index: number,
  count: number,
): Promise<Netns> {
  const node = await createNetns(fabric.dir, name);
  await plug(fabric.switch, SWITCH_INTERFACE, `n${index}`, node, `${nodeAddress(index)}/24`);
  const others = Array.from({ length: count }, (_, i) => i + 1).filter((i) => i !== index);
  await ip(node, [
    'link add pods0 type bridge',
    `addr add ${podGateway(index)}/24 dev pods0`,
    'link set pods0 up',
    ...others.map((other) => `route add ${podNetwork(other)} via ${nodeAddress(other)}`),
  ]);
  await run(['nsenter', `--net=${node.path}`, '--', 'tee', '/proc/sys/net/ipv4/ip_forward'], {
    input: '1',
  });
  if (fabric.ipv6) await addNodeIpv6(node, index, others);
  return node;
}

async function addNodeIpv6(node: Netns, index: number, others: readonly number[]): Promise<void> {
  await ip(node, [
    `addr add ${nodeAddress6(index)}/64 dev eth0 nodad`,
    `addr add ${podGateway6(index)}/64 dev pods0 nodad`,
    ...others.map((other) => `route add ${podNetwork6(other)} via ${nodeAddress6(other)}`),
  ]);
  const forwarding = '/proc/sys/net/ipv6/conf/all/forwarding';
  await run(['nsenter', `--net=${node.path}`, '--', 'tee', forwarding], { input: '1' });
}

/** Pod `podIndex` (from 1) behind node `nodeIndex`, with its default route via the node. */
export async function createPod(
  fabric: Fabric,
  name: string,
  node: Netns,
  nodeIndex: number,
  podIndex: number,
): Promise<Netns> {
  const pod = await createNetns(fabric.dir, name);
  await plug(node, 'pods0', `p${podIndex}`, pod, `${podAddress(nodeIndex, podIndex)}/24`);
  await ip(pod, [`route add default via ${podGateway(nodeIndex)}`]);
  if (fabric.ipv6) {
    await ip(pod, [
      `addr add ${podAddress6(nodeIndex, podIndex)}/64 dev eth0 nodad`,
      `route add default via ${podGateway6(nodeIndex)}`,
    ]);
  }
  return pod;
}

/** A veth pair: `port` on the bridge side, `eth0` with an address on the other. */
async function plug(
  side: Netns,
  bridge: string,
  port: string,
  guest: Netns,
  address: string,
): Promise<void> {
  await ip(side, [
    `link add ${port} type veth peer name eth0 netns ${guest.path}`,
    `link set ${port} master ${bridge} up`,
  ]);
  await ip(guest, [`addr add ${address} dev eth0`, 'link set eth0 up']);
}
