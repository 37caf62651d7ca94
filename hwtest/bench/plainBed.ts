// Everything that lanes are compared with, in one rig: the way without a proxy, the peers of peers.ts as
// a process on each node, and WireGuard. What cannot be started is reported and left out.
import { mkdirSync, writeFileSync } from 'node:fs';
import { spawnIn, waitListening, type Program } from '#hwtest/rig/program.ts';
import type { Rig } from '#hwtest/rig/rig.ts';
import { makeCertificates, type Certificates } from './certificates.ts';
import { BULK_PORT, ECHO_PORT, makePairs, type Pair } from './pair.ts';
import { haproxy, nginxStream, plainRelay, stunnel, type Peer, type Side } from './peers.ts';
import type { Subject } from './subject.ts';
import { startWireguard } from './wireguard.ts';

export interface PlainOptions {
  /** Names of the subjects that are wanted. */
  readonly wants: (name: string) => boolean;
  /** Threads or processes of each proxy. */
  readonly workers: number;
  readonly log: (line: string) => void;
  /** Told why a subject is left out. */
  readonly failed: (subject: string, thrown: unknown) => void;
}

export interface PlainBed {
  readonly rig: Rig;
  readonly subjects: readonly Subject[];
}

/** Ports of the peers on both nodes: two each from here. */
const PEER_PORTS = 16_000;
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';
const PEERS: readonly Peer[] = [
  plainRelay(process.execPath, `${import.meta.dirname}/relay.ts`),
  haproxy(false),
  haproxy(true),
  nginxStream(STREAM_MODULE),
  stunnel,
];
const DIRECT = 'direct';
const WIREGUARD = 'wireguard';

/** The subjects of this bed, in the order of the tables. */
export const PLAIN_SUBJECTS: readonly string[] = [
  DIRECT,
  ...PEERS.map(({ name }) => name),
  WIREGUARD,
];

/** Errors: those of makePairs and makeCertificates. */
export async function makePlainBed(options: PlainOptions): Promise<PlainBed> {
  const { wants, log, failed } = options;
  const { rig, pairs } = await makePairs(['plain', 'tunnel'], log);
  try {
    log('proxies to compare with');
    const certificates = await makeCertificates(`${rig.dir}/certificates`);
    const direct = directOf(rig, pairs.plain);
    const subjects = wants(DIRECT) ? [direct] : [];
    const add = async (name: string, start: () => Promise<Subject>): Promise<void> => {
      if (!wants(name)) return;
      try {
        subjects.push(await start());
      } catch (thrown) {
        failed(name, thrown);
      }
    };
    for (const [i, peer] of PEERS.entries()) {
      const port = PEER_PORTS + 10 * i;
      await add(peer.name, () => startPeer(direct, peer, { ...options, port, certificates }));
    }
    await add(WIREGUARD, async () => ({
      ...directOf(rig, pairs.tunnel),
      name: WIREGUARD,
      label: 'wireguard-go',
      kind: 'tunnel',
      pids: await startWireguard(rig, pairs.tunnel),
    }));
    return { rig, subjects };
  } catch (thrown) {
    await rig.close();
    throw thrown;
  }
}

const directOf = (rig: Rig, { client, server }: Pair): Subject => ({
  name: DIRECT,
  label: 'direct, no proxy',
  kind: 'direct',
  rig,
  client,
  address: server.address,
  echoPort: ECHO_PORT,
  bulkPort: BULK_PORT,
  pids: [],
  beside: [],
});

interface PeerPlan {
  /** The first of two. */
  readonly port: number;
  readonly certificates: Certificates;
  readonly workers: number;
}

async function startPeer(direct: Subject, peer: Peer, plan: PeerPlan): Promise<Subject> {
  const { rig } = direct;
  const { port, certificates, workers } = plan;
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
