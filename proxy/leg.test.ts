import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Leg } from './leg.ts';
import { SkippingClock } from './skippingClock.fixture.ts';

/** No timer fires unless a test says so. */
const clock = new SkippingClock(true);
const sockets: { destroy(): void }[] = [];
let leg: Leg;
let far: Socket;

beforeEach(async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address !== 'string' ? address.port : 0;
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    [],
  ];
  server.close();
  sockets.push(near, far);
  leg = new Leg(() => near, {
    data: () => undefined,
    end: () => undefined,
    drained: () => undefined,
    closed: () => undefined,
  });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

const soon = (text: string): void => leg.writeSoon(clock, [Buffer.from(text)]);

/** Everything that arrives until the end. */
async function heard(): Promise<string> {
  let text = '';
  far.on('data', (bytes: Buffer) => (text += bytes.toString()));
  await once(far, 'end');
  return text;
}

it('writeSoon() keeps the order of what is written', async () => {
  const text = heard();
  leg.write([Buffer.from('1')]);
  soon('2');
  soon('3');
  leg.write([Buffer.from('4')]);
  soon('5');
  leg.end();
  expect(await text).toBe('12345');
});

it('writeSoon() alone is written when its time is over', async () => {
  soon('alone');
  expect(leg.socket.bytesWritten).toBe(0);
  clock.skip(10);
  const [bytes] = (await once(far, 'data')) as [Buffer];
  expect(bytes.toString()).toBe('alone');
});

it('writeSoon() and the next write() reach the socket as one', () => {
  soon('with ');
  leg.write([Buffer.from('company')]);
  expect(leg.socket.bytesWritten).toBe(12);
  clock.skip(10);
  expect(leg.socket.bytesWritten).toBe(12);
});

it('writeSoon() of a leg that is gone is dropped', async () => {
  soon('never');
  leg.destroy();
  await once(leg.socket, 'close');
  clock.skip(10);
  expect(leg.isClosed).toBe(true);
  expect(leg.socket.bytesWritten).toBe(0);
});

it('end() twice says it once', async () => {
  const text = heard();
  leg.end();
  leg.end();
  expect(await text).toBe('');
  expect(leg.socket.errored).toBeNull();
});
