// A pod whose programs see their clients' addresses, by sockets that were made in it by this process and
// programs that say who called.
import { describe, expect, test, vi } from 'vitest';
import { run } from '#agent/base/run.ts';
import { Leg } from '#proxy/leg.ts';
import { hearing, testReactor } from '#proxy/leg.fixture.ts';
import { withNetnsAt } from '#proxy/native/netns.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { speakFrom } from '#proxy/native/transparent.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import { clientsAreShown, hideClients } from './clientAddress.ts';
import type { CapturedPod } from './pod.ts';
import {
  beforeAndAfterEach,
  capture,
  inside,
  ip,
  keepLast,
  NOWHERE as CLIENT,
  NOWHERE6 as CLIENT6,
  OUTSIDE_IP,
  POD,
  POD_IP,
  POD_IP6,
  start,
} from './podAndOutside.fixture.ts';

const NETNS = `/run/netns/${POD}`;
const PORT = 8080;

const inPod = async (...argv: string[]): Promise<string> =>
  (await run(inside(POD, ...argv))).stdout.toString();

describe('capturePod() with sourceAddress preserve', () => {
  beforeAndAfterEach();

  /** A program that answers each connection with who it is from, by one socket for both families. */
  async function serve(): Promise<void> {
    const listen = `TCP6-LISTEN:${PORT},ipv6only=0,fork,reuseaddr`;
    const { stderr } = start(
      POD,
      'socat',
      '-dd',
      listen,
      'SYSTEM:echo "$SOCAT_PEERADDR $SOCAT_PEERPORT"',
    );
    for await (const line of stderr?.setEncoding('utf8') ?? []) {
      if (String(line).includes('listening on')) return;
    }
  }

  /** What the program says to a delivery from `client`. */
  async function answerTo(pod: CapturedPod, client: string, to = POD_IP, toPort = PORT) {
    const [fd = -1] = pod.makeSockets(1, to.includes(':') ? 6 : 4);
    const isShown = speakFrom(fd, client, 4321);
    const { said, owner } = hearing();
    const leg = Leg.connecting(testReactor(), fd, encodeSockaddr(to, toPort), owner, () => {
      leg.end();
    });
    await vi.waitFor(() => expect(leg.isClosed).toBe(true), { timeout: 5000, interval: 5 });
    const [, address = '', port = ''] = /^\[(.*)\] (\d+)\n/.exec(said.join('')) ?? [];
    return { isShown, peer: `${canonicalAddress(address)} ${port}`, failure: leg.failure };
  }

  test('a program sees the address and port of its client, IPv4 and IPv6', async () => {
    const pod = await capture();
    await serve();
    expect(pod.sourceProblem).toBeUndefined();
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
    expect((await answerTo(pod, CLIENT6, POD_IP6)).peer).toBe(`${CLIENT6} 4321`);
  });

  test('a delivery to a port on which nobody listens is refused at once', async () => {
    const pod = await capture();
    expect((await answerTo(pod, CLIENT, POD_IP, 9)).failure).toBe('ECONNREFUSED');
    expect((await answerTo(pod, CLIENT6, POD_IP6, 9)).failure).toBe('ECONNREFUSED');
  });

  test('answers come back by the marks of connections alone, where the kernel setting is not to be had', async () => {
    const pod = await capture();
    await serve();
    await inPod('sysctl', '-qw', 'net.ipv4.tcp_fwmark_accept=0');
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
  });

  test('with sourceAddress pod, sockets speak from the pod alone and no routing is made', async () => {
    const pod = await capture({}, NETNS, 'pod');
    await serve();
    const { isShown, peer } = await answerTo(pod, CLIENT);
    expect([isShown, peer]).toEqual([false, expect.stringContaining(`${POD_IP} `)]);
    expect(await inPod('ip', 'rule')).not.toContain('15008');
  });

  test('a pod without a way out keeps its own address as the peer, says so, and not once it has one', async () => {
    await ip('-n', POD, 'route', 'delete', 'default');
    const pod = await capture();
    await serve();
    expect(pod.sourceProblem).toMatch(/10\.77\.0\.2.*default route/);
    expect((await answerTo(pod, CLIENT)).peer).toContain(`${POD_IP} `);
    expect(await pod.rules()).toBe('intact');
    await ip('-n', POD, 'route', 'add', 'default', 'via', OUTSIDE_IP);
    await pod.retrySource();
    expect(pod.sourceProblem).toBeUndefined();
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
  });

  test('an answer that would leave the pod is dropped: the routing rule is gone', async () => {
    const pod = await capture();
    await serve();
    await inPod('ip', 'rule', 'delete', 'pref', '15008');
    expect(await pod.rules()).toBe('changed');
    const [fd = -1] = pod.makeSockets(1, 4);
    speakFrom(fd, CLIENT, 4321);
    const { said, owner } = hearing();
    const leg = Leg.connecting(testReactor(), fd, encodeSockaddr(POD_IP, PORT), owner, () => {
      said.push('connected');
    });
    await vi.waitFor(() => expect(pod.counts().droppedOut).toBeGreaterThan(0));
    expect(said).toEqual([]);
    leg.destroy();
  });

  test('release() lets deliveries go on until forget(), and then nothing stays', async () => {
    const state = async () => [
      await inPod('ip', 'rule'),
      await inPod('ip', '-6', 'rule'),
      await inPod('nft', 'list', 'ruleset'),
      await inPod('sysctl', 'net.ipv4.tcp_tw_reuse', 'net.ipv4.tcp_fwmark_accept'),
    ];
    const before = await state();
    const pod = await capture();
    expect(pod.reusesPorts).toBe(true);
    (await state()).forEach((now, i) => expect(now).not.toBe(before[i]));
    await serve();
    await keepLast()?.release();
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
    await pod.forget();
    expect(await state()).toEqual(before);
  });

  test('hideClients() removes what a killed agent left, and is nothing where nothing is left', async () => {
    await capture();
    keepLast()?.abandon();
    expect(withNetnsAt(NETNS, clientsAreShown)).toBe(true);
    withNetnsAt(NETNS, hideClients);
    expect(withNetnsAt(NETNS, clientsAreShown)).toBe(false);
    withNetnsAt(NETNS, hideClients);
  });

  test('capturePod() a second time, by the next agent, shows clients as before', async () => {
    await capture();
    keepLast()?.abandon();
    const pod = await capture();
    await serve();
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
  });
});
