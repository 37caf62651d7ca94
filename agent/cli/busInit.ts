// `tidelock bus init`: makes what the servers of a bus and the agents on it are started with: keys, certificates,
// configuration and credentials.
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { nodeName } from '#agent/base/schema.ts';
import {
  addNodes,
  adminFile,
  authorityCertificate,
  makeBusAuthority,
  replicasOf,
  serverDir,
} from '#agent/busAuthority/directory.ts';
import { bracketed } from '#agent/busAuthority/serverConfig.ts';
import { configSchema } from '#agent/configSchema.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import { defineVerb, type Flags, type FlagValues } from './verb.ts';

const MAX_SERVERS = 9;
const PORT = 4222;
const FLAGS = {
  cluster: { type: 'string', value: 'NAME', required: true, help: 'name of the cluster' },
  dir: { type: 'string', value: 'DIR', help: 'where the files go; ./bus by default' },
  server: {
    type: 'strings',
    value: 'HOST',
    required: true,
    help: 'DNS name or address of a server, as agents reach it; three of them keep everything thrice',
  },
  node: {
    type: 'strings',
    value: 'NAME',
    help: 'a node to make credentials for; bus add makes more',
  },
  port: { type: 'string', value: 'PORT', help: `where servers listen; ${PORT} by default` },
  'config-dir': {
    type: 'string',
    value: 'DIR',
    help: 'where a server will find its files; /etc/nats by default',
  },
  'store-dir': {
    type: 'string',
    value: 'DIR',
    help: 'where a server will keep its data; /var/lib/nats by default',
  },
} as const satisfies Flags;

/** `tidelock bus init`. */
export const busInit = defineVerb({
  name: 'bus init',
  flags: FLAGS,
  about:
    'Makes a NATS bus of one’s own: operator, account and permissions by which a node can speak for itself alone, TLS certificates, a configuration for each server and credentials for each node. Overwrites nothing.',
  example:
    'tidelock bus init --cluster prod --server nats-0.example.org --server nats-1.example.org --server nats-2.example.org --node node-a',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const { nodes, ...plan } = planOf(flags);
    const dir = resolve(terminal.cwd, flags.dir ?? 'bus');
    await makeBusAuthority(dir, plan);
    const credentials = await addNodes(dir, nodes);
    const servers = plan.hosts.map((host) => ({ host, files: serverDir(dir, host) }));
    const bus = {
      servers: plan.hosts.map((host) => `tls://${bracketed(host)}:${plan.port}`),
      replicas: replicasOf(plan.hosts),
      credentialsFile: 'NODE.creds',
      tls: { caFile: 'ca.pem' },
    };
    const document = { dir, servers, credentials, admin: adminFile(dir), bus };
    const lines = [
      ...servers.map(
        ({ host, files }) => `server ${host}: copy ${files} to ${plan.configDir} there`,
      ),
      ...credentials.map((file) => `wrote ${file}`),
      `every agent needs its credentials, ${authorityCertificate(dir)}, and in its configuration`,
      ...`bus: ${JSON.stringify(bus, undefined, 2)}`.split('\n').map((line) => `  ${line}`),
      `Keep ${dir}/keys off the cluster; ${adminFile(dir)} is for the nats command line.`,
    ];
    printResult(invocation, 'BusInit', document, lines.join('\n'));
    return EXIT.ok;
  },
});

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const DNS_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`);
/** What openssl and NATS read without quotes. */
const isHost = (text: string): boolean => isIP(text) !== 0 || DNS_NAME.test(text);
/** A path that needs no quoting in a configuration. */
const PATH = /^\/[\w./-]*$/;

/** Errors: USAGE with everything that is wrong. */
function planOf(flags: FlagValues<typeof FLAGS>) {
  const problems: string[] = [];
  if (!configSchema.shape.cluster.safeParse(flags.cluster).success) {
    problems.push('--cluster must be a DNS label');
  }
  const hosts = [...new Set(flags.server)];
  if (hosts.length === 0 || hosts.length > MAX_SERVERS) {
    problems.push(`--server must be given from 1 to ${MAX_SERVERS} times`);
  }
  for (const host of hosts) {
    if (!isHost(host)) problems.push(`--server ${host} is no DNS name or address`);
  }
  const port = Number(flags.port ?? PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) problems.push('--port is no port');
  const [configDir, storeDir] = [
    flags['config-dir'] ?? '/etc/nats',
    flags['store-dir'] ?? '/var/lib/nats',
  ];
  for (const path of [configDir, storeDir]) {
    if (!PATH.test(path)) problems.push(`${path} is no absolute path of letters, digits and ._-`);
  }
  const { nodes, wrong } = nodesOf(flags.node);
  problems.push(...wrong);
  if (problems.length > 0) throw usage('bus init', problems.join('; '));
  return { cluster: flags.cluster, hosts, port, configDir, storeDir, nodes };
}

/** Names of nodes, each once, and what is wrong with the others. */
export function nodesOf(names: readonly string[]): {
  readonly nodes: readonly NodeName[];
  readonly wrong: readonly string[];
} {
  const read = [...new Set(names)].map((name) => ({ name, node: nodeName.safeParse(name).data }));
  return {
    nodes: read.flatMap(({ node }) => node ?? []),
    wrong: read
      .filter(({ node }) => node === undefined)
      .map(({ name }) => `${JSON.stringify(name)} is no node name: a DNS name in lower case`),
  };
}
