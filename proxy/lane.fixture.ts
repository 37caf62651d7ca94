// For tests of lanes: worlds that end with their test, and what an application sees of its connection.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, vi } from 'vitest';
import { TwoNodes } from './twoNodes.fixture.ts';

const worlds: { close(): void }[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world.close();
});

/** Two nodes in step, closed after the test. */
export async function world(options: ConstructorParameters<typeof TwoNodes>[0] = {}) {
  const made = new TwoNodes(options);
  worlds.push(made);
  await made.start();
  return made;
}

/** Everything the socket says until its end, or the code of the error that cut it. */
export async function readAll(socket: Socket): Promise<Buffer | string> {
  if (socket.errored) return (socket.errored as NodeJS.ErrnoException).code ?? 'error';
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    socket.once('end', () => resolve(Buffer.concat(chunks)));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
}

/** Waits for what sockets will bring about. */
export const until = (claim: () => void) => vi.waitFor(claim, { timeout: 20_000, interval: 5 });

/** Until node a has one open lane. */
export const opened = (two: TwoNodes) => until(() => expect(two.a.count('lanesOpenedOut')).toBe(1));

/** Until neither node carries anything. */
export const idle = async (two: TwoNodes) => {
  await until(() => expect([two.a.count('active'), two.b.count('active')]).toEqual([0, 0]));
};

/** Somebody on the path between node a and node b, who may read, change or cut. */
export async function onPath(
  two: TwoNodes,
  each: (near: Socket, far: Socket) => void,
): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: two.b.lanePort, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [near, far]) socket.on('error', () => undefined);
    each(near, far);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  worlds.push({ close: () => void server.close() });
  const address = server.address();
  two.detour = address !== null && typeof address !== 'string' ? address.port : 0;
  two.tell();
}
