import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { beforeEach, expect, it, vi } from 'vitest';
import { connectedLeg, hearing, testReactor, type Heard } from './leg.fixture.ts';
import { Leg } from './leg.ts';
import { fdOf } from '#proxy/native/handle.ts';
import { libc } from '#proxy/native/libc.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import type { Reactor } from './reactor.ts';
import { SkippingClock } from './skippingClock.fixture.ts';
import { freePort } from './ports.fixture.ts';

/** No timer fires unless a test says so. */
const clock = new SkippingClock(true);
let reactor: Reactor;
let heard: Heard;
let leg: Leg;
let far: Socket;

beforeEach(async () => {
  reactor = testReactor();
  heard = hearing();
  ({ leg, far } = await connectedLeg(reactor, heard.owner));
});

const soon = (text: string): void => leg.writeSoon(clock, Buffer.from(text));
const until = (claim: () => void) => vi.waitFor(claim, { timeout: 10_000, interval: 2 });

/** Everything that arrives at the other end until its end. */
async function arrived(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  far.on('data', (bytes: Buffer) => chunks.push(bytes));
  await once(far, 'end');
  return Buffer.concat(chunks);
}

it('writeSoon() keeps the order of what is written', async () => {
  const text = arrived();
  leg.write(Buffer.from('1'));
  soon('2');
  soon('3');
  leg.write(Buffer.from('4'));
  soon('5');
  leg.end();
  expect((await text).toString()).toBe('12345');
});

it('writeSoon() alone is written when its time is over', async () => {
  const first = once(far, 'data') as Promise<[Buffer]>;
  soon('alone');
  soon(', and this');
  clock.skip(30);
  const [bytes] = await first;
  expect(bytes.toString()).toBe('alone, and this');
});

it('writeSoon() of a leg that is gone is dropped', async () => {
  soon('never');
  leg.destroy();
  clock.skip(30);
  expect((await arrived()).length).toBe(0);
  await until(() => expect(leg.isClosed).toBe(true));
});

it('write() says what is too much, and drained() when all of it is gone', async () => {
  const sent = randomBytes(24 << 20);
  far.pause();
  const given = Buffer.from(sent);
  for (const [from, to] of [[0, 10], [10, 1 << 20], [1 << 20]]) leg.write(given.subarray(from, to));
  given.fill(0); // what was written was read by then
  expect(leg.isFull).toBe(true);
  expect(heard.said).toEqual([]);
  const all = arrived();
  far.resume();
  await until(() => expect(heard.said).toEqual(['<drained>']));
  leg.end();
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  expect(digest(await all)).toBe(digest(sent));
});

it('many small writes that wait leave in few system calls, a bounded number in each turn', async () => {
  far.pause();
  const given: Buffer[] = [];
  const write = (bytes: Buffer): void => {
    given.push(bytes);
    leg.write(bytes);
  };
  while (leg.flush()) write(randomBytes(64 << 10));
  await new Promise((resolve) => setTimeout(resolve, 20)); // the kernel takes no more
  const written = { all: 0, inTurn: 0, most: 0 };
  const served = reactor.served.bind(reactor);
  reactor.served = () => {
    written.all += 1;
    written.inTurn += 1;
    written.most = Math.max(written.most, written.inTurn);
    served();
  };
  const turn = reactor.turn.bind(reactor);
  reactor.turn = (maxWaitMs) => {
    written.inTurn = 0;
    turn(maxWaitMs);
  };
  const one = randomBytes(1);
  for (let n = 0; n < 1_000_000; n += 1) leg.write(one);
  const all = arrived();
  far.resume();
  await until(() => expect(leg.isBehind).toBe(false));
  leg.end();
  expect((await all).equals(Buffer.concat([...given, Buffer.alloc(1_000_000, one)]))).toBe(true);
  expect(written.all).toBeLessThan(500);
  expect(written.most).toBeLessThanOrEqual(17);
});

it('pause() holds back data and their end until resume()', async () => {
  leg.pause();
  far.end('held back');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard.said.join('')).toBe('');
  leg.resume();
  await until(() => expect(heard.said).toEqual(['held back', '<end>']));
});

it('reads more than one buffer takes, in order', async () => {
  const sent = randomBytes(3 << 20);
  far.end(sent);
  await until(() => expect(heard.said.at(-1)).toBe('<end>'));
  expect(heard.said.slice(0, -1).join('') === sent.toString('latin1')).toBe(true);
});

it('end() is a half-close: it reads on, and closes when the other end has ended too', async () => {
  leg.end();
  leg.end();
  await once(far.resume(), 'end');
  far.write('still');
  await until(() => expect(heard.said).toEqual(['still']));
  far.end();
  await until(() => expect(heard.said).toEqual(['still', '<end>', '<closed>']));
  expect(leg.isClosed).toBe(true);
});

it('end() tells when the kernel has all of it', async () => {
  let isSent = false;
  leg.write(Buffer.from('last'));
  leg.end(() => (isSent = true));
  expect(isSent).toBe(false);
  expect((await arrived()).toString()).toBe('last');
  expect(isSent).toBe(true);
});

it('a reset of the other end is a failure, after the data before it', async () => {
  far.write('first');
  await until(() => expect(heard.said).toEqual(['first']));
  far.resetAndDestroy();
  await until(() => expect(heard.said).toEqual(['first', '<failed>']));
  expect(leg.failure).toBe('ECONNRESET');
});

it('a reset is told of though nothing is read: while paused, and after the end', async () => {
  leg.pause();
  far.resetAndDestroy();
  await until(() => expect(heard.said).toEqual(['<failed>']));
  const after = hearing();
  const half = await connectedLeg(reactor, after.owner);
  half.far.end();
  await until(() => expect(after.said).toEqual(['<end>']));
  half.far.resetAndDestroy();
  await until(() => expect(after.said).toEqual(['<end>', '<failed>']));
});

it('keeps an urgent byte in its place, at which a read stops short', async () => {
  const send: (fd: number, bytes: Buffer, length: number, flags: number) => number = libc.func(
    'int64_t send(int fd, const void *bytes, size_t length, int flags)',
  );
  const MSG_OOB = 1;
  leg.pause();
  for (const [text, flags] of [
    ['before', 0],
    ['!', MSG_OOB],
    ['behind', 0],
  ] as const) {
    send(fdOf(far), Buffer.from(text), text.length, flags);
  }
  await new Promise((resolve) => setTimeout(resolve, 20)); // all of it has arrived
  leg.resume();
  await until(() => expect(heard.said.join('')).toBe('before!behind'));
});

it('reset() sends a RST and tells of a close of its own', async () => {
  const code = once(far, 'error').then(([error]) => (error as NodeJS.ErrnoException).code);
  far.resume();
  leg.reset();
  leg.reset();
  expect(heard.said).toEqual([]); // never from within a call
  expect(await code).toBe('ECONNRESET');
  await until(() => expect(heard.said).toEqual(['<closed>']));
});

it('connecting() where nobody listens closes with the reason', async () => {
  const refused = hearing();
  const to = encodeSockaddr('127.0.0.1', await freePort());
  const made = Leg.connecting(reactor, tcpSocket(4), to, refused.owner, () =>
    refused.said.push('?'),
  );
  await until(() => expect(refused.said).toEqual(['<failed>']));
  expect(made.failure).toBe('ECONNREFUSED');
});

it('connecting() to an address that cannot be closes with the reason', async () => {
  const refused = hearing();
  const to = encodeSockaddr('255.255.255.255', 1);
  const made = Leg.connecting(reactor, tcpSocket(4), to, refused.owner, () =>
    refused.said.push('?'),
  );
  expect(refused.said).toEqual([]);
  await until(() => expect(refused.said).toEqual(['<failed>']));
  expect(made.failure).toMatch(/^E/);
});

it('resetIfKilled() makes of a close that nobody asked for a reset, and of an end in order an end', async () => {
  leg.resetIfKilled();
  leg.write(Buffer.from('all'));
  far.end();
  const text = arrived();
  await until(() => expect(heard.said).toEqual(['<end>']));
  leg.end();
  expect((await text).toString()).toBe('all');

  const cut = await connectedLeg(reactor);
  cut.leg.resetIfKilled();
  const failed = once(cut.far, 'error') as Promise<[NodeJS.ErrnoException]>;
  cut.leg.destroy(); // closes the descriptor, as the end of the process does
  expect((await failed)[0].code).toBe('ECONNRESET');
});
