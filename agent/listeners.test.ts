// Tests of who listens: the kernel's tables as text, and this process's own socket in them.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import { holderOf, listening, listeningIn } from './listeners.ts';

/** Lines of a real /proc/net/tcp and tcp6. */
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B0012C6:3AA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41231 1 0000000000000000 100 0 0 10 0
   1: 0B0012C6:8A2C 020012C6:107E 01 00000000:00000000 02:000003A1 00000000     0        0 41240 2 0000000000000000 20 4 30 10 -1
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41299 1 0000000000000000 100 0 0 10 0`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1
   1: B80D0120000000000000000001000000:3AA0 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 778 1`;

test('listeningIn() reads addresses, ports and inodes of listening sockets alone', () => {
  expect(listeningIn(TCP)).toEqual([
    { address: '198.18.0.11', port: 15_008, inode: '41231' },
    { address: '0.0.0.0', port: 8080, inode: '41299' },
  ]);
  expect(listeningIn(TCP6)).toEqual([
    { address: '::', port: 22, inode: '777' },
    { address: '2001:db8::1', port: 15_008, inode: '778' },
  ]);
});

test('listeningIn() finds nothing in what is no table', () => {
  for (const text of ['', '\n\n', 'x: y', '0: 0A 0A 0A']) expect(listeningIn(text)).toEqual([]);
});

const loopbacks = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .filter(({ internal }) => internal)
  .map(({ address }) => address);

test.each(loopbacks)('holderOf() finds this process behind its socket on %s', async (host) => {
  await using server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const own = (await listening()).find((each) => each.port === port && each.address === host);
  expect(await holderOf(own?.inode ?? '')).toBe(process.pid);
});

test('holderOf() says when nobody holds a socket', async () => {
  expect(await holderOf('1')).toBeUndefined();
});
