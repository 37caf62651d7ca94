// Every configured NATS server, connected to once and by itself: an agent is content with one that
// answers, an operator wants to know of those that do not.
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { messageOf, type TidelockError } from '#agent/base/errors.ts';
import type { Config } from '#agent/config.ts';
import { connectionTo, serverOf, unreachable } from '#agent/epochs/busAccess.ts';
import { inboxOf } from '#agent/epochs/grants.ts';
import { nodeToken } from '#agent/epochs/subjects.ts';

export interface BusServer {
  readonly url: string;
  readonly connection: NatsConnection;
  /** `nats-server 2.9.10 at 198.18.0.2:4222`. */
  readonly text: string;
}

export interface BusServers {
  readonly reached: readonly BusServer[];
  /** BUS_UNREACHABLE or BUS_DENIED, one a server. */
  readonly failed: readonly TidelockError[];
  close(): Promise<void>;
}

const CONNECT_MS = 3_000;

/** Never rejects for a server that cannot be reached. */
export async function openServers(config: Config, signal: AbortSignal): Promise<BusServers> {
  const tried = await Promise.all(config.bus.servers.map((url) => open(config, url)));
  const reached = tried.filter((each): each is BusServer => 'connection' in each);
  const failed = tried.filter((each): each is TidelockError => !('connection' in each));
  const close = async (): Promise<void> => {
    await Promise.all(reached.map(({ connection }) => connection.close()));
  };
  if (signal.aborted) await close();
  return { reached, failed, close };
}

async function open(config: Config, url: string): Promise<BusServer | TidelockError> {
  try {
    const connection = await connect({
      ...connectionTo({
        ...config.bus,
        inboxPrefix: inboxOf(nodeToken(config.node)),
        servers: [url],
      }),
      name: `tidelock doctor ${config.node}`,
      reconnect: false,
      timeout: CONNECT_MS,
    });
    return { url, connection, text: serverOf(connection) };
  } catch (cause) {
    return unreachable(cause instanceof Error ? cause : messageOf(cause), [url]);
  }
}
