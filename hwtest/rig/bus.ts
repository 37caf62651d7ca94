// The bus of a rig: a real nats-server with JetStream in a namespace of its own, one nkey user per
// node. It can be killed and started again; its store stays.
import { mkdirSync, writeFileSync } from 'node:fs';
import { nkeys } from '@nats-io/transport-node';
import { spawnIn, waitListening, type Place, type Program } from './program.ts';
import { BUS_ADDRESS } from './topology.ts';

const PORT = 4222;

export interface Bus {
  /** `nats://198.18.0.2:4222`, reachable from every node. */
  readonly url: string;
  /** File with the nkey seed of a node, for its configuration. */
  seedFile(node: string): string;
  running(): boolean;
  start(): Promise<void>;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/** Writes keys and configuration below `dir` and starts the server. Errors: RIG_PROGRAM. */
export async function startBus(place: Place, dir: string, nodes: readonly string[]): Promise<Bus> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const seedFile = (node: string): string => `${dir}/${node}.nk`;
  const users = nodes.map((node) => {
    const user = nkeys.createUser();
    writeFileSync(seedFile(node), user.getSeed(), { mode: 0o600 });
    return { nkey: user.getPublicKey() };
  });
  const configFile = `${dir}/nats.conf`;
  writeFileSync(
    configFile,
    JSON.stringify(
      {
        server_name: `rig-${place.rigId}`,
        listen: `${BUS_ADDRESS}:${PORT}`,
        jetstream: { store_dir: `${dir}/jetstream`, max_mem: '64M', max_file: '1G' },
        authorization: { users },
      },
      undefined,
      2,
    ),
  );
  let server: Program | undefined;
  const start = async (): Promise<void> => {
    if (server?.running()) return;
    server = spawnIn(place, ['nats-server', '--config', configFile], {
      name: 'nats-server',
      logFile: `${dir}/nats.log`,
    });
    await waitListening(server, PORT);
  };
  await start();
  return {
    url: `nats://${BUS_ADDRESS}:${PORT}`,
    seedFile,
    running: () => server?.running() ?? false,
    start,
    kill: async () => {
      server?.kill('SIGKILL');
      await server?.ended;
    },
  };
}
