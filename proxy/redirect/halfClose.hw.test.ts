// Connections of a captured pod that one side has closed while the other is silent for longer than the
// kernel's connection tracking would wait: a minute, here cut down to a second.
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { Acceptor } from '#proxy/acceptor.ts';
import { Leg } from '#proxy/leg.ts';
import { hearing, testReactor } from '#proxy/leg.fixture.ts';
import { dupFd } from '#proxy/native/fd.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { speakFrom } from '#proxy/native/transparent.ts';
import { capturePod, type CapturedPod } from './pod.ts';
import { BY_DEFAULT } from './plaintext.fixture.ts';

const POD = `tlh${process.pid}`;
const IP = '10.79.0.2';
const CLIENT = '203.0.113.9';
const SILENT_MS = 3000;

const ip = (...args: string[]): Promise<unknown> => run(['ip', '-n', POD, ...args]);
let pod: CapturedPod;

beforeEach(async () => {
  await run(['ip', 'netns', 'add', POD]);
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'away');
  await ip('link', 'set', 'away', 'up');
  await ip('address', 'add', `${IP}/24`, 'dev', 'eth0');
  await ip('link', 'set', 'eth0', 'up');
  await ip('route', 'add', 'default', 'via', '10.79.0.1');
  pod = await capturePod(
    {
      uid: 'pod-1',
      netnsPath: `/run/netns/${POD}`,
      ips: [IP],
      plaintext: BY_DEFAULT,
      sourceAddress: 'preserve',
    },
    { run, clock: systemClock },
  );
  const closeWait = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait';
  await run(['ip', 'netns', 'exec', POD, 'tee', closeWait], { input: '1' });
});
afterEach(async () => {
  await pod.release();
  await pod.forget();
  await run(['ip', 'netns', 'delete', POD]);
});

test('a client that has closed its side gets an answer that comes late', async () => {
  const reactor = testReactor();
  const [listener] = pod.listeners;
  const acceptor = new Acceptor(
    reactor,
    dupFd(listener?.fd ?? -1),
    ({ fd }) => {
      const leg: Leg = Leg.accepted(reactor, fd, {
        ...hearing().owner,
        end: () => {
          setTimeout(() => {
            leg.write(Buffer.from('late'));
            leg.end();
          }, SILENT_MS);
        },
      });
    },
    () => undefined,
  );
  const call = ['ip', 'netns', 'exec', POD, 'socat', '-t20', '-', `TCP:${CLIENT}:80`] as const;
  const { stdout } = await run(call, { input: 'x', timeoutMs: 20_000 });
  expect(stdout.toString()).toBe('late');
  acceptor.close();
});

test('a program that is called gets its late answer through to a client that has closed its side', async () => {
  const listen = ['TCP-LISTEN:8080,reuseaddr', `SYSTEM:cat; sleep ${SILENT_MS / 1000}; echo late`];
  const program = spawn('ip', ['netns', 'exec', POD, 'socat', '-dd', '-t20', ...listen], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const line of program.stderr.setEncoding('utf8')) {
    if (String(line).includes('listening on')) break;
  }
  program.stderr.resume();
  const [fd = -1] = pod.makeSockets(1, 4);
  expect(speakFrom(fd, CLIENT, 4321)).toBe(true);
  const { said, owner } = hearing();
  const leg = Leg.connecting(testReactor(), fd, encodeSockaddr(IP, 8080), owner, () => leg.end());
  await vi.waitFor(() => expect(said.join('')).toBe('late\n<end><closed>'), {
    timeout: 20_000,
    interval: 20,
  });
});
