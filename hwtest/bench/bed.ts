// What the bench measures on: two nodes with a client and a server pod that agents capture, the same two
// pods again that nothing captures, and every proxy between them, all running from the beginning.
//
//   client ─ redirect ─ agent ── node a ═════ node b ── agent ─ server         tidelock
//   plain-client ───── proxy ── node a ═════ node b ── proxy ── plain-server   the peers
//   plain-client ────────────── node a ═════ node b ──────────── plain-server  direct
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readOwnerKey } from '#agent/owner.ts';
import { readPolicy, signPolicy } from '#attest/policy.ts';
import { CHIPS } from '#proxy/chips/registry.ts';
import { createCluster, type RigAgent } from '#hwtest/rig/cluster.ts';
import { execIn, spawnIn, waitListening, type Program } from '#hwtest/rig/program.ts';
import { createRig, type PodPlan, type Rig, type RigNode, type RigPod } from '#hwtest/rig/rig.ts';
import { makeCertificates, type Certificates } from './certificates.ts';
import { treeOf } from './processes.ts';
import { haproxy, nginxStream, plainRelay, stunnel, type Peer, type Side } from './peers.ts';

/** One way from a client to a server. */
export interface Subject {
  readonly name: string;
  readonly label: string;
  readonly kind: 'direct' | 'relay' | 'lanes' | 'mtls';
  /** Where load comes from. */
  readonly client: RigPod;
  /** Where the client connects to, for echoes and for iperf3. */
  readonly address: string;
  readonly echoPort: number;
  readonly bulkPort: number;
  /** The processes between client and server on both nodes; their children belong to them. */
  readonly pids: readonly number[];
  /** Processes that belong to it and carry no bytes: the control planes of agents. */
  readonly beside: readonly number[];
}

export interface Bed extends AsyncDisposable {
  readonly rig: Rig;
  readonly subjects: readonly Subject[];
}

export interface BedOptions {
  /** Threads or processes of each proxy. */
  readonly workers: number;
  /** Whether the agents watch the kernel: every packet of the machine, so that all subjects pay. */
  readonly probes: boolean;
  readonly log: (line: string) => void;
}

const DOMAIN = 'bench.tidelock';
const CLUSTER = 'bench';
const ECHO_PORT = 7007;
const BULK_PORT = 5201;
/** Ports of the peers on both nodes: two each from here. */
const PEER_PORTS = 16_000;
const IN_STEP_MS = 120_000;
/** Room for connections that end within a run, in every namespace alike (ip-sysctl.rst). */
const SYSCTLS = { tcp_tw_reuse: '1', ip_local_port_range: '10240 65535' };
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';
const RELAY = `${import.meta.dirname}/relay.ts`;

const pod = (name: string, node: string, serviceAccount: string): PodPlan => ({
  name,
  node,
  namespace: 'default',
  serviceAccount,
});
/** The first two are in the inventories of the agents. */
const PODS = [
  pod('client', 'node-a', 'client'),
  pod('server', 'node-b', 'server'),
  pod('plain-client', 'node-a', 'none'),
  pod('plain-server', 'node-b', 'none'),
] as const;
const CAPTURED = new Set(['client', 'server']);

/** Builds and starts all of it. Errors: ROOT_REQUIRED, RIG_PREREQUISITE, RIG_PROGRAM, those of `run`. */
export async function makeBed({ workers, probes, log }: BedOptions): Promise<Bed> {
  const rig = await createRig({ nodes: ['node-a', 'node-b'], pods: PODS, log });
  try {
    for (const place of [...rig.nodes, ...rig.pods]) {
      for (const [name, value] of Object.entries(SYSCTLS)) {
        const file = `/proc/sys/net/ipv4/${name}`;
        await execIn(place.place, ['tee', file], { input: value });
      }
    }
    for (const name of ['server', 'plain-server']) await serve(rig, rig.pod(name));
    log('agents');
    const agents = await startAgents(rig, { workers, probes });
    log('proxies to compare with');
    const certificates = await makeCertificates(`${rig.dir}/certificates`);
    const peers: Subject[] = [];
    for (const [i, peer] of peersHere().entries()) {
      const port = PEER_PORTS + 10 * i;
      peers.push(await startPeer(rig, peer, { port, certificates, workers }));
    }
    const [relay, ...tls] = peers;
    if (!relay) throw new RangeError('the relay is the first peer');
    return {
      rig,
      subjects: [directOf(rig), relay, await lanesOf(rig, agents), ...tls],
      [Symbol.asyncDispose]: () => rig.close(),
    };
  } catch (thrown) {
    await rig.close();
    throw thrown;
  }
}

const peersHere = (): readonly Peer[] => [
  plainRelay(process.execPath, RELAY),
  haproxy(false),
  haproxy(true),
  nginxStream(STREAM_MODULE),
  stunnel,
];

async function serve(rig: Rig, server: RigPod): Promise<void> {
  const echo = [process.execPath, `${import.meta.dirname}/echo.ts`, String(ECHO_PORT)] as const;
  await waitListening(rig.spawn(server, echo, { name: 'echo' }), ECHO_PORT);
  const iperf = ['iperf3', '-s', '-p', String(BULK_PORT)] as const;
  await waitListening(rig.spawn(server, iperf, { name: 'iperf3' }), BULK_PORT);
}

async function startAgents(
  rig: Rig,
  { workers, probes }: Pick<BedOptions, 'workers' | 'probes'>,
): Promise<readonly RigAgent[]> {
  const identity = (account: string): string => `spiffe://${DOMAIN}/${CLUSTER}/default/${account}`;
  const cluster = await createCluster(rig, {
    domain: DOMAIN,
    cluster: CLUSTER,
    policies: [
      {
        apiVersion: 'tidelock/v1',
        kind: 'ServiceAccessPolicy',
        metadata: { name: 'bench' },
        spec: {
          defaultAction: 'DENY',
          rules: [
            {
              name: 'clients',
              from: { spiffe: identity('client') },
              to: [{ spiffe: identity('server') }],
            },
          ],
        },
      },
    ],
    overrides: { lanes: { workers }, probes: { enabled: probes } },
  });
  await allowOneCipher(`${rig.dir}/owner`);
  for (const node of rig.nodes) await cluster.enrol(node);
  const agents = rig.nodes.map((node) =>
    cluster.startAgent(node, { inventory: { file: inventoryOf(rig, node) } }),
  );
  for (const agent of agents) {
    await agent.until(
      'in step',
      ({ node, dataPlane, pods, peers }) =>
        node.verdict === 'affirming' &&
        dataPlane.state === 'running' &&
        pods.length === 1 &&
        pods.every(({ captured }) => captured) &&
        peers.length > 0 &&
        peers.every(({ sendChain }) => sendChain !== undefined),
      IN_STEP_MS,
    );
  }
  return agents;
}

/**
 * Signs the policy of the cluster anew with the algorithms of one AEAD, which is that of the peers: by
 * default epochs draw ChaCha20-Poly1305 too, and a median over both would be of neither.
 */
async function allowOneCipher(ownerDir: string): Promise<void> {
  const owner = await readOwnerKey(`${ownerDir}/owner.key`);
  const file = `${ownerDir}/attestation-policy.json`;
  const policy = readPolicy(JSON.parse(readFileSync(file, 'utf8')), [owner.public]);
  const algorithms = CHIPS.filter(({ aead }) => aead === 'AES-256-GCM').map(({ id }) => id);
  writeFileSync(file, JSON.stringify(signPolicy({ ...policy, algorithms }, owner)));
}

/** The captured pods of a node, for its agent. */
function inventoryOf(rig: Rig, node: RigNode): string {
  const file = `${node.dir}/captured.json`;
  const pods = rig.pods
    .filter((each) => each.node === node.name && CAPTURED.has(each.name))
    .map(({ uid, name, namespace, serviceAccount, address, place }) => ({
      uid,
      name,
      namespace,
      serviceAccount,
      ips: [address],
      netns: place.netns.path,
    }));
  writeFileSync(file, JSON.stringify({ pods }));
  return file;
}

const directOf = (rig: Rig): Subject => ({
  name: 'direct',
  label: 'direct, no proxy',
  kind: 'direct',
  client: rig.pod('plain-client'),
  address: rig.pod('plain-server').address,
  echoPort: ECHO_PORT,
  bulkPort: BULK_PORT,
  pids: [],
  beside: [],
});

async function lanesOf(rig: Rig, agents: readonly RigAgent[]): Promise<Subject> {
  const states = await Promise.all(agents.map((agent) => agent.status()));
  const planes = states.flatMap(({ dataPlane }) => dataPlane.pid ?? []);
  return {
    ...directOf(rig),
    name: 'tidelock',
    label: 'tidelock lanes',
    kind: 'lanes',
    client: rig.pod('client'),
    address: rig.pod('server').address,
    pids: planes,
    beside: treeOf(agents.map(({ program }) => program.pid)).filter((pid) => !planes.includes(pid)),
  };
}

async function startPeer(
  rig: Rig,
  peer: Peer,
  { port, certificates, workers }: { port: number; certificates: Certificates; workers: number },
): Promise<Subject> {
  const direct = directOf(rig);
  const forwards = [direct.echoPort, direct.bulkPort].map((targetPort, i) => ({
    port: port + i,
    nodeB: rig.node('node-b').address,
    target: direct.address,
    targetPort,
  }));
  const start = async (side: Side): Promise<Program> => {
    const node = rig.node(`node-${side}`);
    const dir = `${node.dir}/${peer.name}`;
    mkdirSync(dir, { mode: 0o755 });
    const setup = { side, address: node.address, forwards, certificates, dir, workers };
    const file = `${dir}/config`;
    const config = peer.config(setup);
    if (config !== undefined) writeFileSync(file, config);
    const program = spawnIn(node.place, peer.argv(setup, file), {
      name: peer.name,
      logFile: `${dir}/log`,
      cwd: dir,
    });
    for (const forward of forwards) await waitListening(program, forward.port);
    return program;
  };
  const pair = [await start('b'), await start('a')];
  return {
    ...direct,
    name: peer.name,
    label: peer.label,
    kind: peer.debianPackage === undefined ? 'relay' : 'mtls',
    address: rig.node('node-a').address,
    echoPort: port,
    bulkPort: port + 1,
    pids: pair.map(({ pid }) => pid),
  };
}
