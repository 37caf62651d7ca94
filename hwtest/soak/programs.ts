// The programs of the soak: what serves in which pod, what asks from where, and how the clients that are
// not ours are understood.
import { spawnIn, waitListening, type Argv } from '#hwtest/rig/program.ts';
import type { RigPod } from '#hwtest/rig/rig.ts';
import { HTTP_PORT, REDIS_PORT, startNginx, startRedis } from '#hwtest/rig/servers.ts';
import type { ClientPlan } from './client.ts';
import { iperf } from './iperf.ts';
import { pgbench, startPostgres } from './postgres.ts';
import { said } from './said.ts';

export interface SoakProgram {
  readonly name: string;
  /** Names of pods on different nodes. */
  readonly client: string;
  readonly server: string;
  /** Starts the server and waits until it listens. */
  serve(pod: RigPod): Promise<unknown>;
  /** How a client of a server at `host` is run, with `dir` for what it writes. */
  plan(host: string, dir: string): ClientPlan;
}

const GRPC_PORT = 50_051;
const WEB_SOCKET_PORT = 8_081;
const IPERF_PORT = 5_201;

/** Both nodes have clients and servers, so that each opens lanes and accepts them. */
const A_TO_B = { client: 'client-a', server: 'server-b' } as const;
const B_TO_A = { client: 'client-b', server: 'server-a' } as const;

const ours = (script: string): Argv => [process.execPath, `${import.meta.dirname}/${script}.ts`];

/** A client that tells in lines of said.ts. */
const talkative = (script: string, host: string, port: number): ClientPlan => ({
  argv: [...ours(script), host, String(port)],
  hear: (line, run) => {
    const told = readSaid(line);
    if (told === undefined) run.failed(line.slice(0, 200));
    else if ('tookMs' in told) run.account.answered(...told.tookMs);
    else run.account.failed(told);
  },
});

/** Undefined: it is something else, such as the stack of an exception. */
function readSaid(line: string) {
  try {
    return said.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

async function serveWith(pod: RigPod, name: string, argv: Argv, port: number): Promise<void> {
  const server = spawnIn(pod.place, argv, {
    name,
    logFile: `${pod.dir}/${name}.log`,
    cwd: pod.dir,
  });
  await waitListening(server, port);
}

export const PROGRAMS: readonly SoakProgram[] = [
  {
    name: 'nginx',
    ...A_TO_B,
    serve: ({ place, dir }) => startNginx(place, `${dir}/nginx`, 'soak'),
    plan: (host) => talkative('httpClient', host, HTTP_PORT),
  },
  {
    name: 'redis',
    ...B_TO_A,
    serve: ({ place, dir }) => startRedis(place, `${dir}/redis`),
    plan: (host) => talkative('redisClient', host, REDIS_PORT),
  },
  { name: 'PostgreSQL', ...B_TO_A, serve: startPostgres, plan: pgbench },
  {
    name: 'iperf3',
    ...A_TO_B,
    serve: (pod) =>
      serveWith(pod, 'iperf3', ['iperf3', '-s', '-p', String(IPERF_PORT)], IPERF_PORT),
    plan: (host) => iperf(host, IPERF_PORT),
  },
  {
    name: 'gRPC',
    ...A_TO_B,
    serve: (pod) => serveWith(pod, 'grpc', [...ours('grpcServer'), String(GRPC_PORT)], GRPC_PORT),
    plan: (host) => talkative('grpcClient', host, GRPC_PORT),
  },
  {
    name: 'WebSocket',
    ...B_TO_A,
    serve: (pod) =>
      serveWith(pod, 'ws', [...ours('webSocketServer'), String(WEB_SOCKET_PORT)], WEB_SOCKET_PORT),
    plan: (host) => talkative('webSocketClient', host, WEB_SOCKET_PORT),
  },
];
