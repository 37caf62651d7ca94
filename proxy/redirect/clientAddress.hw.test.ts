// A pod whose programs see their clients' addresses: a namespace with a way out, sockets that were made in
// it by this process, and programs that say who called.
import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { canonicalAddress } from '#proxy/see/address.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { speakFrom } from '#proxy/native/transparent.ts';
import { Leg } from '#proxy/leg.ts';
import { hearing, testReactor } from '#proxy/leg.fixture.ts';
import { openNetns, withNetns } from '#proxy/native/netns.ts';
import { clientsAreShown, hideClients } from './clientAddress.ts';
import { capturePod, type CapturedPod } from './pod.ts';
import { BY_DEFAULT } from './plaintext.fixture.ts';

const POD = `tls${process.pid}`;
const IP = '10.78.0.2';
const IP6 = 'fd78::2';
/** Addresses nobody has: documentation prefixes of RFC 5737 and RFC 3849. */
const CLIENT = '203.0.113.9';
const CLIENT6 = '2001:db8::9';
const PORT = 8080;

const ip = (...args: string[]): Promise<unknown> => run(['ip', '-n', POD, ...args]);
const inPod = async (...argv: [string, ...string[]]): Promise<string> =>
  (await run(['ip', 'netns', 'exec', POD, ...argv])).stdout.toString();

describe('capturePod() with sourceAddress preserve', () => {
  const captured: CapturedPod[] = [];
  const programs: ChildProcess[] = [];

  beforeEach(async () => {
    await run(['ip', 'netns', 'add', POD]);
    await ip('link', 'set', 'lo', 'up');
    await ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'away');
    await ip('link', 'set', 'away', 'up');
    await ip('address', 'add', `${IP}/24`, 'dev', 'eth0');
    await ip('-6', 'address', 'add', `${IP6}/64`, 'dev', 'eth0', 'nodad');
    await ip('link', 'set', 'eth0', 'up');
    await ip('route', 'add', 'default', 'via', '10.78.0.1');
    await ip('-6', 'route', 'add', 'default', 'via', 'fd78::1');
  });
  afterEach(async () => {
    for (const pod of captured.splice(0)) await free(pod);
    for (const program of programs.splice(0)) program.kill('SIGKILL');
    await run(['ip', 'netns', 'delete', POD]);
  });

  async function capture(sourceAddress: 'preserve' | 'pod' = 'preserve'): Promise<CapturedPod> {
    const place = { uid: 'pod-1', netnsPath: `/run/netns/${POD}`, ips: [IP, IP6] };
    const pod = await capturePod(
      { ...place, plaintext: BY_DEFAULT, sourceAddress },
      { run, clock: systemClock },
    );
    captured.push(pod);
    return pod;
  }

  async function free(pod: CapturedPod | undefined): Promise<void> {
    await pod?.release();
    await pod?.forget();
  }

  /** A program that answers each connection with who it is from, by one socket for both families. */
  async function serve(): Promise<void> {
    const listen = `TCP6-LISTEN:${PORT},ipv6only=0,fork,reuseaddr`;
    const say = 'SYSTEM:echo "$SOCAT_PEERADDR $SOCAT_PEERPORT"';
    const child = spawn('ip', ['netns', 'exec', POD, 'socat', '-dd', listen, say], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    programs.push(child);
    for await (const line of child.stderr.setEncoding('utf8')) {
      if (String(line).includes('listening on')) break;
    }
    child.stderr.resume();
  }

  /** What the program says to a delivery from `client`. */
  async function answerTo(pod: CapturedPod, client: string, to = IP, toPort = PORT) {
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
    expect((await answerTo(pod, CLIENT6, IP6)).peer).toBe(`${CLIENT6} 4321`);
  });

  test('a delivery to a port on which nobody listens is refused at once', async () => {
    const pod = await capture();
    expect((await answerTo(pod, CLIENT, IP, 9)).failure).toBe('ECONNREFUSED');
    expect((await answerTo(pod, CLIENT6, IP6, 9)).failure).toBe('ECONNREFUSED');
  });

  test('answers come back by the marks of connections alone, where the kernel setting is not to be had', async () => {
    const pod = await capture();
    await serve();
    await inPod('sysctl', '-qw', 'net.ipv4.tcp_fwmark_accept=0');
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
  });

  test('with sourceAddress pod, sockets speak from the pod alone and no routing is made', async () => {
    const pod = await capture('pod');
    await serve();
    const { isShown, peer } = await answerTo(pod, CLIENT);
    expect([isShown, peer]).toEqual([false, expect.stringContaining(`${IP} `)]);
    expect(await inPod('ip', 'rule')).not.toContain('15008');
  });

  test('a pod without a way out keeps its own address as the peer, and it is said', async () => {
    await ip('route', 'delete', 'default');
    const pod = await capture();
    await serve();
    expect(pod.sourceProblem).toMatch(/10\.78\.0\.2.*default route/);
    expect((await answerTo(pod, CLIENT)).peer).toContain(`${IP} `);
    expect(await pod.rules()).toBe('intact');
  });

  test('an answer that would leave the pod is dropped: the routing rule is gone', async () => {
    const pod = await capture();
    await serve();
    await inPod('ip', 'rule', 'delete', 'pref', '15008');
    expect(await pod.rules()).toBe('changed');
    const [fd = -1] = pod.makeSockets(1, 4);
    speakFrom(fd, CLIENT, 4321);
    const { said, owner } = hearing();
    const leg = Leg.connecting(testReactor(), fd, encodeSockaddr(IP, PORT), owner, () => {
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
    await captured.pop()?.release();
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
    await pod.forget();
    expect(await state()).toEqual(before);
  });

  test('hideClients() removes what a killed agent left, and is nothing where nothing is left', async () => {
    const pod = await capture();
    pod.abandon();
    captured.pop();
    const netns = openNetns(`/run/netns/${POD}`);
    expect(withNetns(netns, clientsAreShown)).toBe(true);
    withNetns(netns, hideClients);
    expect(withNetns(netns, clientsAreShown)).toBe(false);
    withNetns(netns, hideClients);
    netns.close();
  });

  test('capturePod() a second time, by the next agent, shows clients as before', async () => {
    (await capture()).abandon();
    captured.pop();
    const pod = await capture();
    await serve();
    expect((await answerTo(pod, CLIENT)).peer).toBe(`${CLIENT} 4321`);
  });
});
