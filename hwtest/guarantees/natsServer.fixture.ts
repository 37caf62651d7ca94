// A real nats-server of a test on loopback, everything that is said on it, and everything that it keeps.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { vi } from 'vitest';
import { freePort } from '#proxy/ports.fixture.ts';

/** A message as it passed, requests and answers included. */
export interface Said {
  readonly subject: string;
  readonly headers: string;
  readonly data: Buffer;
}

export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  /** Every message since the start. */
  readonly said: readonly Said[];
  /** The files of its store, as they are now. */
  stored(): Buffer[];
  /** kill -9. */
  kill(): Promise<void>;
  /** kill -9, and started again with nothing of what it had stored. */
  loseAll(): Promise<void>;
}

/** Starts a server and listens to everything on it. */
export async function startNats(): Promise<NatsServer> {
  const dir = mkdtempSync(join(tmpdir(), 'tl-nats-'));
  const port = await freePort();
  const argv = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', dir];
  const start = async () => {
    const process = spawn('nats-server', argv, { stdio: 'ignore' });
    const ended = once(process, 'exit');
    await vi.waitFor(() => isListening(port), { timeout: 20_000, interval: 50 });
    return { process, ended };
  };
  let server = await start();
  const kill = async (): Promise<void> => {
    server.process.kill('SIGKILL');
    await server.ended;
  };
  const ears = await connect({ servers: `127.0.0.1:${port}` });
  const said: Said[] = [];
  ears.subscribe('>', {
    callback: (_error, { subject, headers, data }) => {
      said.push({
        subject,
        headers: [...(headers ?? [])].flat(2).join('\n'),
        data: Buffer.from(data),
      });
    },
  });
  await ears.flush();
  return {
    url: `nats://127.0.0.1:${port}`,
    said,
    stored: () =>
      readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => readFileSync(join(parentPath, name))),
    loseAll: async () => {
      await kill();
      rmSync(dir, { recursive: true });
      mkdirSync(dir, { mode: 0o700 });
      server = await start();
    },
    kill,
    [Symbol.asyncDispose]: async () => {
      await ears.close();
      await kill();
      rmSync(dir, { recursive: true });
    },
  };
}

const isListening = (port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = dial(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
