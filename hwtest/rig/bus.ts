// The bus of a rig: real nats-servers with JetStream in a namespace of their own, as `tidelock bus init` sets them up.
// They can be killed and started again; what they store stays.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { NodeName } from '#agent/base/brands.ts';
import {
  addNodes,
  adminFile,
  authorityCertificate,
  credentialsFile,
  makeBusAuthority,
  serverDir,
} from '#agent/busAuthority/directory.ts';
import { spawnIn, waitListening, type Argv, type Place, type Program } from './program.ts';
import { BUS_ADDRESSES } from './topology.ts';

export const PORT = 4222;
/** Of a server that has a file system of its own. */
export const OWN_DISK_BYTES = 256 << 20;

export interface BusServer {
  readonly host: string;
  /** Its configuration, key and certificates. */
  readonly configDir: string;
  /** Of the process that runs, or ran last. */
  readonly pid: number;
  /** Where its data are, for it; only from within its mount namespace where `ownDisk` is set. */
  readonly storeDir: string;
  readonly ownDisk: boolean;
  running(): boolean;
  start(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
}

export interface Bus {
  /** Where its servers run. */
  readonly place: Place;
  readonly servers: readonly BusServer[];
  /** `tls://198.18.0.2:4222`, reachable from every node; one a server. */
  readonly urls: readonly string[];
  /** Certificate of the authority that its servers are known by. */
  readonly caFile: string;
  /** Credentials that may do everything. */
  readonly adminFile: string;
  /** Credentials of a node, for its configuration. */
  credentialsFile(node: string): string;
  running(): boolean;
  /** All servers. */
  start(): Promise<void>;
  kill(): Promise<void>;
}

export interface BusPlan {
  readonly cluster: string;
  readonly nodes: readonly string[];
  /** One, or three that replicate; the last of three has a small file system of its own, which ends with it. */
  readonly servers: 1 | 3;
}

/** Writes keys and configuration to `dir` and starts the servers. Errors: RIG_PROGRAM. */
export async function startBus(
  place: Place,
  dir: string,
  { cluster, nodes, servers: count }: BusPlan,
): Promise<Bus> {
  const hosts = BUS_ADDRESSES.slice(0, count);
  const [configDir, storeDir] = ['/CONFIG', '/STORE'];
  await makeBusAuthority(dir, { cluster, hosts, port: PORT, configDir, storeDir });
  await addNodes(dir, nodes as readonly NodeName[]);
  const servers = hosts.map((host, i) => serverOf(place, dir, host, count === 3 && i === 2));
  const start = async (): Promise<void> => {
    await Promise.all(servers.map((each) => each.start()));
  };
  await start();
  return {
    place,
    servers,
    urls: hosts.map((host) => `tls://${host}:${PORT}`),
    caFile: authorityCertificate(dir),
    adminFile: adminFile(dir),
    credentialsFile: (node) => credentialsFile(dir, node),
    running: () => servers.every((each) => each.running()),
    start,
    kill: async () => {
      await Promise.all(servers.map((each) => each.kill()));
    },
  };
}

function serverOf(place: Place, dir: string, host: string, ownDisk: boolean): BusServer {
  const configDir = serverDir(dir, host);
  const configFile = `${configDir}/nats.conf`;
  const storeDir = `${dir}/store-${host}`;
  mkdirSync(storeDir, { mode: 0o700 });
  // All are on one machine here: each has its own address and its own files.
  const text = readFileSync(configFile, 'utf8')
    .replaceAll('/CONFIG', configDir)
    .replaceAll('/STORE', storeDir)
    .replaceAll('0.0.0.0', host);
  writeFileSync(configFile, text);
  const command: Argv = ['nats-server', '--config', configFile];
  const argv = ownDisk ? withOwnDisk(storeDir, command) : command;
  let program: Program | undefined;
  const running = (): boolean => program?.running() ?? false;
  return {
    host,
    configDir,
    get pid() {
      return program?.pid ?? 0;
    },
    storeDir,
    ownDisk,
    running,
    start: async () => {
      if (running()) return;
      program = spawnIn(place, argv, {
        name: 'nats-server',
        logFile: `${dir}/nats-${host}.log`,
      });
      await waitListening(program, PORT, host);
    },
    kill: async () => {
      program?.kill('SIGKILL');
      await program?.ended;
    },
    signal: (signal) => program?.kill(signal),
  };
}

/** In a mount namespace of its own, with a small tmpfs at `at` that nobody else sees. */
const withOwnDisk = (at: string, command: Argv): Argv => [
  ...(['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c'] as const),
  `mount -t tmpfs -o size=${OWN_DISK_BYTES} tmpfs "$1" && shift && exec "$@"`,
  'sh',
  at,
  ...command,
];
