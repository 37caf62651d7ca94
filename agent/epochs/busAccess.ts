// How this node reaches the bus and proves who it is there: servers, credentials, TLS, and the error when it cannot.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import {
  AuthorizationError,
  credsAuthenticator,
  nkeyAuthenticator,
  PermissionViolationError,
  UserAuthenticationExpiredError,
  type NatsConnection,
  type NodeConnectionOptions,
  type TlsOptions,
} from '@nats-io/transport-node';
import { messageOf, TidelockError } from '#agent/base/errors.ts';

export interface BusTls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Where the bus is and who this node is to it. */
export interface BusAccess {
  readonly servers: readonly string[];
  /** File with the NKey seed of this node's NATS user. */
  readonly nkeySeedFile?: string | undefined;
  /** File with NATS user credentials (JWT and seed). */
  readonly credentialsFile?: string | undefined;
  readonly tls?: BusTls | undefined;
  /** inboxOf() of this node: where answers arrive, which nobody else may hear. */
  readonly inboxPrefix: string;
}

/** What the client library is told of servers, credentials and TLS. Errors: those of reading the files. */
export const connectionTo = (access: BusAccess): NodeConnectionOptions => ({
  servers: [...access.servers],
  inboxPrefix: access.inboxPrefix,
  ...authentication(access),
  ...(access.tls ? { tls: tlsOf(access.tls, access.servers) } : {}),
});

function authentication(options: BusAccess): Pick<NodeConnectionOptions, 'authenticator'> {
  if (options.nkeySeedFile !== undefined) {
    const seed = readFileSync(options.nkeySeedFile, 'utf8').trim();
    return { authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) };
  }
  if (options.credentialsFile !== undefined) {
    return { authenticator: credsAuthenticator(readFileSync(options.credentialsFile)) };
  }
  return {};
}

/** Only the files that were configured: the client library takes an absent member for the default. */
function tlsOf({ caFile, certFile, keyFile }: BusTls, servers: readonly string[]): TlsOptions {
  const files = {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  };
  const addresses = servers.map(hostOf).filter((host) => isIP(host) !== 0);
  // The library passes on what it has no name for. It gives Node no name of a server that is known by its address.
  const options = {
    ...files,
    checkServerIdentity: (host: string, certificate: PeerCertificate): Error | undefined => {
      const problem = checkServerIdentity(host, certificate);
      const isOneOf = (address: string): boolean =>
        checkServerIdentity(address, certificate) === undefined;
      return problem && addresses.some(isOneOf) ? undefined : problem;
    },
  };
  return options;
}

/** Of `tls://HOST:PORT`, without the brackets of IPv6. */
const hostOf = (url: string): string =>
  url
    .replace(/^\w+:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');

/** `nats-server 2.9.10 at 198.18.0.2:4222`. */
export const serverOf = (nc: NatsConnection): string =>
  `nats-server ${nc.info?.version ?? 'unknown'} at ${nc.getServer()}`;

/** Why there is no connection, or no use in it: BUS_DENIED for refused credentials, else BUS_UNREACHABLE. */
export function unreachable(cause: unknown, servers: readonly string[]): TidelockError {
  if (cause instanceof TidelockError) return cause;
  const { denied, hint } = explained(cause);
  return new TidelockError(denied ? 'BUS_DENIED' : 'BUS_UNREACHABLE', {
    op: 'bus.connect',
    message: `Cannot ${denied ? 'use' : 'reach'} NATS at ${servers.join(', ')}: ${messageOf(cause)}`,
    hint,
    cause,
  });
}

function explained(cause: unknown): { readonly denied: boolean; readonly hint: string } {
  if (refusalIn(cause)) {
    return {
      denied: true,
      hint: 'The server knows these credentials and lets them do less: are they of another node or cluster than the configuration names? Make new ones with tidelock bus add.',
    };
  }
  if (cause instanceof AuthorizationError || cause instanceof UserAuthenticationExpiredError) {
    return {
      denied: true,
      hint: 'The server does not know these credentials. Check bus.nkeySeedFile or bus.credentialsFile against the server’s users; the agent keeps trying.',
    };
  }
  return {
    denied: false,
    hint: 'Is nats-server running with JetStream, and is the address in bus.servers right? Lanes go on meanwhile; the agent keeps trying.',
  };
}

/** A permission that was missing, itself or as the cause of a call that failed. */
const refusalIn = (cause: unknown): boolean =>
  cause instanceof PermissionViolationError ||
  (cause instanceof Error && cause.cause instanceof PermissionViolationError);
