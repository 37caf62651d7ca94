// Whether an uninstall may begin, over a real unix socket.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requireStopped } from './stopped.ts';
import type { Trace } from './trace.ts';

let dir: string;
let controlSocket: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-stopped-'));
  controlSocket = join(dir, 'control.sock');
});
afterEach(() => rm(dir, { recursive: true }));

const agent: Trace = {
  kind: 'process',
  what: 'agent or data plane',
  where: 'pid 7',
  presence: 'there',
  remove: () => Promise.resolve(),
};

describe('requireStopped()', () => {
  test('requireStopped() refuses while an agent runs here, unless it is to be stopped', async () => {
    const found = { traces: [agent], controlSocket };
    await expect(requireStopped({ ...found, stop: false })).rejects.toThrow(/\(pid 7\)/);
    await expect(requireStopped({ ...found, stop: true })).resolves.toBeUndefined();
  });

  test('requireStopped() refuses while an agent answers that no process here is', async () => {
    const server = createServer().listen(controlSocket);
    await once(server, 'listening');
    const traces: readonly Trace[] = [{ ...agent, presence: 'absent' }];
    for (const stop of [false, true]) {
      await expect(requireStopped({ traces, controlSocket, stop })).rejects.toMatchObject({
        code: 'AGENT_RUNNING',
      });
    }
    server.close();
    await once(server, 'close');
    await expect(requireStopped({ traces, controlSocket, stop: false })).resolves.toBeUndefined();
  });
});
