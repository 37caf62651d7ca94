// For tests: loopback ports that nobody else listens on.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tcpListener } from '#proxy/native/socket.ts';

/** A listening descriptor and its port; another test may take a free one first. */
export async function listening(attempts = 5): Promise<readonly [fd: number, port: number]> {
  const port = await freePort();
  try {
    return [tcpListener('127.0.0.1', port), port];
  } catch (error) {
    if (attempts === 0) throw error;
    return listening(attempts - 1);
  }
}

/** A loopback port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address !== 'string' ? address.port : 0;
}
