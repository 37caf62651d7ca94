// A far end that vanishes without a word: the link is cut in a namespace of the test's own, where nothing
// but loopback is.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Acceptor } from './acceptor.ts';
import { hearing, testReactor } from './leg.fixture.ts';
import { Leg } from './leg.ts';
import { withNetnsAt } from '#proxy/native/netns.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpListener, tcpSocket } from '#proxy/native/socket.ts';

const PORT = 7007;
const TIMES = { idleSeconds: 1, everySeconds: 1, times: 2 };

let netns: string;
const run = (program: string, ...args: readonly string[]): Buffer => execFileSync(program, args);
const inside = (...argv: readonly string[]): Buffer => run('ip', 'netns', 'exec', netns, ...argv);
beforeEach(() => {
  netns = `tl-cut-${randomBytes(4).toString('hex')}`;
  run('ip', 'netns', 'add', netns);
  inside('ip', 'link', 'set', 'lo', 'up');
});
afterEach(() => {
  run('ip', 'netns', 'delete', netns);
});

it('keepAlive() ends an idle connection whose far end no longer answers, and no other', async () => {
  const reactor = testReactor();
  const [near, far] = [hearing(), hearing()];
  const path = `/run/netns/${netns}`;
  const listener = withNetnsAt(path, () => tcpListener('127.0.0.1', PORT));
  const accepted: Leg[] = [];
  const acceptor = new Acceptor(
    reactor,
    listener,
    ({ fd }) => accepted.push(Leg.accepted(reactor, fd, far.owner)),
    (error) => {
      throw error;
    },
  );
  const socket = withNetnsAt(path, () => tcpSocket(4));
  const leg = await new Promise<Leg>((resolve) => {
    const to = encodeSockaddr('127.0.0.1', PORT);
    const made = Leg.connecting(reactor, socket, to, near.owner, () => resolve(made));
  });
  leg.keepAlive(TIMES);
  await pause(5000); // longer than it takes to give up one that does not answer
  expect([near.said, far.said]).toEqual([[], []]);

  inside(
    'nft',
    'add table inet cut; add chain inet cut in { type filter hook input priority 0; policy drop; }',
  );
  await vi.waitFor(() => expect(near.said).toEqual(['<failed>']), { timeout: 60_000 });
  expect(leg.failure).toBe('ETIMEDOUT');
  expect(far.said).toEqual([]); // it asks nobody, and was told nothing
  acceptor.close();
  for (const each of accepted) each.destroy();
});
