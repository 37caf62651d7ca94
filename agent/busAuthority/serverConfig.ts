// The configuration of one nats-server of a bus, for 2.9 and newer. Pure.
import { STORAGE_BYTES } from '#agent/epochs/layout.ts';
import type { BusTokens } from './tokens.ts';

/** A bus of one server, or of several that replicate. */
export interface ServersPlan {
  readonly cluster: string;
  /** DNS names or addresses, as agents and the other servers reach them. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** Where a server finds nats.conf and what lies beside it. */
  readonly configDir: string;
  /** Where JetStream keeps its data. */
  readonly storeDir: string;
}

export const CLUSTER_PORT = 6222;
/** Longest message, as agents count it. */
const MAX_PAYLOAD = 1 << 20;
/** Nothing is kept in memory but what tools ask for. */
const MEMORY_BYTES = 64 << 20;

/** JSON, which nats-server reads; the first line is a comment. */
export function serverConfig(
  host: string,
  plan: ServersPlan,
  { operatorJwt, system, account }: Pick<BusTokens, 'operatorJwt' | 'system' | 'account'>,
): string {
  const { cluster, hosts, port, configDir, storeDir } = plan;
  const tls = {
    cert_file: `${configDir}/server.pem`,
    key_file: `${configDir}/server.key`,
    ca_file: `${configDir}/ca.pem`,
    timeout: 5,
  };
  const config = {
    server_name: `${cluster}-${hosts.indexOf(host)}`,
    listen: `0.0.0.0:${port}`,
    max_payload: MAX_PAYLOAD,
    jetstream: {
      store_dir: storeDir,
      max_memory_store: MEMORY_BYTES,
      max_file_store: STORAGE_BYTES,
    },
    tls,
    operator: operatorJwt,
    system_account: system.publicKey,
    resolver: 'MEMORY',
    resolver_preload: { [system.publicKey]: system.jwt, [account.publicKey]: account.jwt },
    ...(hosts.length > 1 && {
      cluster: {
        name: `tidelock-${cluster}`,
        listen: `0.0.0.0:${CLUSTER_PORT}`,
        routes: hosts.map((each) => `nats-route://${bracketed(each)}:${CLUSTER_PORT}`),
        tls: { ...tls, verify: true },
      },
    }),
  };
  return `# Server ${host} of the bus of ${cluster}, by tidelock bus init.\n${JSON.stringify(config, undefined, 2)}\n`;
}

/** As an address of IPv6 stands before a port. */
export const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);
