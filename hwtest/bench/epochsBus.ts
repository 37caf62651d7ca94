// A real nats-server on loopback for `npm run bench -- epochs`, and what it counts itself.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '#proxy/ports.fixture.ts';
import { cpuSecondsOf, residentBytesOf } from './processes.ts';

/** Totals since it started: messages and bytes from and to agents; its own processor time and memory. */
export interface BusCounts {
  readonly inMessages: number;
  readonly outMessages: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

export interface BenchBus extends AsyncDisposable {
  readonly url: string;
  counts(): Promise<BusCounts>;
}

interface Varz {
  readonly in_msgs: number;
  readonly out_msgs: number;
  readonly in_bytes: number;
  readonly out_bytes: number;
}

const START_MS = 20_000;

export async function startBenchBus(): Promise<BenchBus> {
  const directory = mkdtempSync(join(tmpdir(), 'tl-epochs-'));
  const [port, monitor] = [await freePort(), await freePort()];
  const configFile = join(directory, 'nats.conf');
  writeFileSync(
    configFile,
    [
      `host: "127.0.0.1"`,
      `port: ${port}`,
      `http: "127.0.0.1:${monitor}"`,
      'max_connections: 65536',
      `jetstream { store_dir: ${JSON.stringify(directory)}, max_file_store: 4GB, max_memory_store: 64MB }`,
    ].join('\n'),
  );
  const server = spawn('nats-server', ['-c', configFile], { stdio: 'ignore' });
  const ended = once(server, 'exit');
  const pids = server.pid === undefined ? [] : [server.pid];
  const varz = async (): Promise<Varz> =>
    (await (await fetch(`http://127.0.0.1:${monitor}/varz`)).json()) as Varz;
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  for (const untilMs = Date.now() + START_MS; ; await sleep(100)) {
    try {
      await varz();
      break;
    } catch (cause) {
      if (Date.now() < untilMs) continue;
      await stop();
      throw cause;
    }
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    counts: async () => {
      const { in_msgs, out_msgs, in_bytes, out_bytes } = await varz();
      return {
        inMessages: in_msgs,
        outMessages: out_msgs,
        inBytes: in_bytes,
        outBytes: out_bytes,
        cpuSeconds: cpuSecondsOf(pids),
        rssBytes: residentBytesOf(pids),
      };
    },
    [Symbol.asyncDispose]: stop,
  };
}
