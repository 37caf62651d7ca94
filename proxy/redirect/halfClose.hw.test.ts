// Connections of a captured pod that one side has closed while the other is silent for longer than the
// kernel's connection tracking would wait: a minute, here cut down to a second.
import { expect, test, vi } from 'vitest';
import { run } from '#agent/base/run.ts';
import { Acceptor } from '#proxy/acceptor.ts';
import { Leg } from '#proxy/leg.ts';
import { hearing, testReactor } from '#proxy/leg.fixture.ts';
import { dupFd } from '#proxy/native/fd.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { speakFrom } from '#proxy/native/transparent.ts';
import type { CapturedPod } from './pod.ts';
import {
  beforeAndAfterEach,
  capture,
  inside,
  NOWHERE as CLIENT,
  POD,
  POD_IP,
  start,
} from './podAndOutside.fixture.ts';

const SILENT_MS = 3000;

beforeAndAfterEach();

async function captureImpatiently(): Promise<CapturedPod> {
  const pod = await capture();
  const closeWait = '/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait';
  await run(inside(POD, 'tee', closeWait), { input: '1' });
  return pod;
}

test('a client that has closed its side gets an answer that comes late', async () => {
  const pod = await captureImpatiently();
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
  const call = inside(POD, 'socat', '-t20', '-', `TCP:${CLIENT}:80`);
  const { stdout } = await run(call, { input: 'x', timeoutMs: 20_000 });
  expect(stdout.toString()).toBe('late');
  acceptor.close();
});

test('a program that is called gets its late answer through to a client that has closed its side', async () => {
  const pod = await captureImpatiently();
  const late = `SYSTEM:cat; sleep ${SILENT_MS / 1000}; echo late`;
  const { stderr } = start(POD, 'socat', '-dd', '-t20', 'TCP-LISTEN:8080,reuseaddr', late);
  for await (const line of stderr?.setEncoding('utf8') ?? []) {
    if (String(line).includes('listening on')) break;
  }
  const [fd = -1] = pod.makeSockets(1, 4);
  expect(speakFrom(fd, CLIENT, 4321)).toBe(true);
  const { said, owner } = hearing();
  const leg = Leg.connecting(testReactor(), fd, encodeSockaddr(POD_IP, 8080), owner, () =>
    leg.end(),
  );
  await vi.waitFor(() => expect(said.join('')).toBe('late\n<end><closed>'), {
    timeout: 20_000,
    interval: 20,
  });
});
