import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { openLaneListener } from './laneListener.ts';

const server = createServer();
afterEach(() => void server.close());

test('openLaneListener() says which process has the port, and how to end it', async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await expect(openLaneListener('127.0.0.1', port)).rejects.toMatchObject({
    code: 'LANE_PORT_IN_USE',
    message: expect.stringContaining(`process ${process.pid} does`) as string,
    hint: expect.stringContaining(`kill ${process.pid}`) as string,
  });
});
