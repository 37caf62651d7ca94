// The proxies that lanes are compared with, as their own documentation would set them up for mutual TLS
// 1.3 between two nodes: configuration files and argument vectors, nothing else. All get two threads or
// worker processes, AES-256-GCM, no delay, 64 KiB buffers where they can be set, and no logging.
import type { Certificates } from './certificates.ts';
import { SERVER_NAME } from './certificates.ts';

/** One TCP port of a node that is carried to another address. */
export interface Forward {
  /** Port on both nodes: node a listens for the client, node b for node a. */
  readonly port: number;
  readonly nodeB: string;
  /** The program behind node b. */
  readonly target: string;
  readonly targetPort: number;
}

export type Side = 'a' | 'b';

/** What a side of a peer is started with. */
export interface Setup {
  readonly side: Side;
  /** Address that the side listens on. */
  readonly address: string;
  readonly forwards: readonly Forward[];
  readonly certificates: Certificates;
  /** A directory of its own. */
  readonly dir: string;
  readonly workers: number;
}

export interface Peer {
  readonly name: string;
  /** As the table shows it. */
  readonly label: string;
  /** The configuration file; absent where argv says all. */
  config(setup: Setup): string | undefined;
  argv(setup: Setup, configFile: string): readonly [string, ...string[]];
  /** Debian package of the program. */
  readonly debianPackage?: string;
}

/** That a peer must be able to hold; each takes two descriptors, of 20,000 that many machines allow. */
const CONNECTIONS = 9000;
const CIPHERSUITE = 'TLS_AES_256_GCM_SHA384';

const next = ({ side }: Setup, forward: Forward): string =>
  side === 'a' ? `${forward.nodeB}:${forward.port}` : `${forward.target}:${forward.targetPort}`;

const lines = (...parts: readonly (string | readonly string[])[]): string =>
  `${parts.flat().join('\n')}\n`;

/** Two hops of the same runtime and socket code as the lanes, without cryptography. */
export const plainRelay = (nodePath: string, script: string): Peer => ({
  name: 'relay',
  label: 'plain relay, no encryption',
  config: () => undefined,
  argv: (setup) => [
    nodePath,
    script,
    setup.address,
    String(setup.workers),
    ...setup.forwards.map((forward) => `${forward.port}=${next(setup, forward)}`),
  ],
});

/** HAProxy; with `resumes`, later connections resume the TLS session of the first. */
export const haproxy = (resumes: boolean): Peer => ({
  name: resumes ? 'haproxy-resumed' : 'haproxy',
  label: `HAProxy, TLS 1.3 mTLS, ${resumes ? 'sessions resumed' : 'full handshakes'}`,
  debianPackage: 'haproxy',
  argv: (_, file) => ['haproxy', '-db', '-f', file],
  config: (setup) => {
    const { certificates, address, forwards, side, workers } = setup;
    const trust = `ca-file ${certificates.authority} verify required`;
    const tickets = resumes ? '' : ' no-tls-tickets';
    const server = ` ssl crt ${certificates.server.bundle} ${trust}${tickets}`;
    const client = ` ssl crt ${certificates.client.bundle} ${trust} verifyhost ${SERVER_NAME}${
      resumes ? '' : ' no-ssl-reuse'
    }`;
    return lines(
      'global',
      `  nbthread ${workers}`,
      `  maxconn ${CONNECTIONS}`,
      '  tune.bufsize 65536',
      ...(resumes ? [] : ['  tune.ssl.cachesize 0']),
      ...['bind', 'server'].flatMap((end) => [
        `  ssl-default-${end}-ciphersuites ${CIPHERSUITE}`,
        `  ssl-default-${end}-options ssl-min-ver TLSv1.3`,
      ]),
      'defaults',
      '  mode tcp',
      '  timeout connect 10s',
      '  timeout client 1h',
      '  timeout server 1h',
      ...forwards.map((forward) =>
        lines(
          `listen p${forward.port}`,
          `  bind ${address}:${forward.port}${side === 'b' ? server : ''}`,
          `  server next ${next(setup, forward)}${side === 'a' ? client : ''}`,
        ),
      ),
    );
  },
});

/** nginx's stream proxy; sessions are resumed, as by its defaults. */
export const nginxStream = (modulePath: string): Peer => ({
  name: 'nginx',
  label: 'nginx stream, TLS 1.3 mTLS, sessions resumed',
  debianPackage: 'libnginx-mod-stream',
  argv: ({ dir }, file) => ['nginx', '-p', dir, '-c', file, '-e', `${dir}/error.log`],
  config: (setup) => {
    const { certificates, address, forwards, side, workers, dir } = setup;
    const { client, server, authority } = certificates;
    const outgoing = [
      '    proxy_ssl on;',
      '    proxy_ssl_protocols TLSv1.3;',
      `    proxy_ssl_certificate ${client.certificate};`,
      `    proxy_ssl_certificate_key ${client.key};`,
      `    proxy_ssl_trusted_certificate ${authority};`,
      '    proxy_ssl_verify on;',
      `    proxy_ssl_name ${SERVER_NAME};`,
      `    proxy_ssl_conf_command Ciphersuites ${CIPHERSUITE};`,
    ];
    const incoming = [
      '    ssl_protocols TLSv1.3;',
      `    ssl_certificate ${server.certificate};`,
      `    ssl_certificate_key ${server.key};`,
      `    ssl_client_certificate ${authority};`,
      '    ssl_verify_client on;',
      `    ssl_conf_command Ciphersuites ${CIPHERSUITE};`,
    ];
    return lines(
      `load_module ${modulePath};`,
      'user root;',
      'daemon off;',
      `worker_processes ${workers};`,
      `pid ${dir}/nginx.pid;`,
      `worker_rlimit_nofile ${2 * CONNECTIONS};`,
      `events { worker_connections ${2 * CONNECTIONS}; }`,
      'stream {',
      '  tcp_nodelay on;',
      '  proxy_buffer_size 64k;',
      '  ssl_session_cache shared:lanes:4m;',
      ...forwards.map((forward) =>
        lines(
          '  server {',
          `    listen ${address}:${forward.port}${side === 'b' ? ' ssl' : ''} reuseport;`,
          side === 'a' ? outgoing : incoming,
          `    proxy_pass ${next(setup, forward)};`,
          '    proxy_timeout 1h;',
          '  }',
        ),
      ),
      '}',
    );
  },
});

/** stunnel: a thread a connection, so that no number of workers can be set; sessions are resumed. */
export const stunnel: Peer = {
  name: 'stunnel',
  label: 'stunnel, TLS 1.3 mTLS, sessions resumed',
  debianPackage: 'stunnel4',
  argv: (_, file) => ['stunnel4', file],
  config: (setup) => {
    const { certificates, address, forwards, side } = setup;
    const own = side === 'a' ? certificates.client : certificates.server;
    return lines(
      'foreground = yes',
      'debug = err',
      'pid =',
      'socket = l:TCP_NODELAY=1',
      'socket = r:TCP_NODELAY=1',
      'sslVersionMin = TLSv1.3',
      `ciphersuites = ${CIPHERSUITE}`,
      `cert = ${own.certificate}`,
      `key = ${own.key}`,
      `CAfile = ${certificates.authority}`,
      'verifyChain = yes',
      ...forwards.map((forward) =>
        lines(
          `[p${forward.port}]`,
          `client = ${side === 'a' ? 'yes' : 'no'}`,
          ...(side === 'a' ? [`checkHost = ${SERVER_NAME}`] : []),
          `accept = ${address}:${forward.port}`,
          `connect = ${next(setup, forward)}`,
        ),
      ),
    );
  },
};
