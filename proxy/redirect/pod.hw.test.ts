// Capturing a pod: the listener inside, the rules that lead there, sockets made there, and the end of it.
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { Acceptor } from '#proxy/acceptor.ts';
import { Leg } from '#proxy/leg.ts';
import { hearing, testReactor } from '#proxy/leg.fixture.ts';
import { originalDestination } from '#proxy/native/socket.ts';
import { encodeSockaddr, type Endpoint } from '#proxy/native/sockaddr.ts';
import { openNetns, withNetns } from '#proxy/native/netns.ts';
import { removeRulesIn, rulesAsListed, rulesIn } from './nftables.ts';
import { BY_DEFAULT } from './plaintext.fixture.ts';
import { capturePod, type CapturedPod } from './pod.ts';
import {
  beforeAndAfterEach,
  capture,
  connectFrom,
  freeLast,
  inside,
  NOWHERE,
  NOWHERE6,
  OUTSIDE,
  OUTSIDE_IP,
  POD,
  POD_IP,
  serve,
  start,
} from './podAndOutside.fixture.ts';
import { CLIENT_MARK, type Plaintext } from './ruleset.ts';

const describeEndpoint = (to: Endpoint): string => `${to.address} ${to.port}`;
const ruleset = async (): Promise<string> =>
  (await run(inside(POD, 'nft', 'list', 'ruleset'))).stdout.toString();
const fail = (): never => {
  throw new RangeError('inside');
};

describe('capturePod()', () => {
  const listeners: Acceptor[] = [];

  beforeAndAfterEach();
  afterEach(() => {
    for (const listener of listeners.splice(0)) listener.close();
  });

  /** Answers each redirected connection with its original destination, as a worker would read it. */
  function answerWithDestination(pod: CapturedPod): void {
    const reactor = testReactor();
    for (const { fd, family } of pod.listeners) {
      const accept = new Acceptor(
        reactor,
        dupFd(fd),
        (accepted) => {
          const to = originalDestination(accepted.fd, family);
          const leg = Leg.accepted(reactor, accepted.fd, hearing().owner);
          leg.write(Buffer.from(to === undefined ? 'direct' : describeEndpoint(to)));
          leg.end();
        },
        (error) => {
          throw error;
        },
      );
      listeners.push(accept);
    }
  }

  test('capturePod() leads a connection to any address to a listener of this process', async () => {
    answerWithDestination(await capture());
    expect(await connectFrom(POD, `TCP:${NOWHERE}:4321`)).toBe(`${NOWHERE} 4321`);
    expect(await connectFrom(POD, `TCP:${OUTSIDE_IP}:80`)).toBe(`${OUTSIDE_IP} 80`);
    expect(await connectFrom(POD, `TCP6:[${NOWHERE6}]:4321`)).toBe(`${NOWHERE6} 4321`);
  });

  test('capturePod() leads a client that sets SO_MARK there all the same', async () => {
    answerWithDestination(await capture());
    for (const mark of [66, CLIENT_MARK]) {
      const target = `TCP:${NOWHERE}:4321,setsockopt-int=1:36:${mark}`;
      expect(await connectFrom(POD, target)).toBe(`${NOWHERE} 4321`);
    }
  });

  test('originalDestination() tells a client that connects to the listener itself', async () => {
    answerWithDestination(await capture());
    expect(await connectFrom(POD, 'TCP:127.0.0.1:15001')).toBe('direct');
    expect(await connectFrom(POD, 'TCP6:[::1]:15001')).toBe('direct');
  });

  test('CapturedPod.makeSockets() makes sockets that reach the pod at its own address', async () => {
    const pod = await capture();
    await serve(POD, POD_IP, 'TCP');
    const fds = pod.makeSockets(3, 4);
    expect(new Set(fds).size).toBe(3);
    for (const fd of fds) {
      const { said, owner } = hearing();
      const leg = Leg.connecting(testReactor(), fd, encodeSockaddr(POD_IP, 8080), owner, () => {
        leg.write(Buffer.from('through the front door'));
        leg.end();
      });
      await vi.waitFor(() => expect(leg.isClosed).toBe(true), { timeout: 5000, interval: 5 });
      expect(said.join('')).toBe('through the front door<end><closed>');
    }
  });

  test('capturePod() drops TCP that evades the redirect', async () => {
    const pod = await capture();
    await serve(OUTSIDE, OUTSIDE_IP, 'TCP');
    const evade =
      'table inet evade { chain raw { type filter hook output priority -300; notrack; }; }';
    await run(inside(POD, 'nft', '-f', '-'), { input: evade });
    await expect(connectFrom(POD, `TCP:${OUTSIDE_IP}:8080,connect-timeout=1`)).rejects.toThrow(
      /timed out/i,
    );
    expect(pod.counts().droppedOut).toBeGreaterThan(0);
  });

  test('CapturedPod.rules() notices a changed rule and a missing table', async () => {
    const pod = await capture();
    expect(await pod.rules()).toBe('intact');
    await run(inside(POD, 'nft', 'insert', 'rule', 'inet', 'tidelock', 'output', 'accept'));
    expect(await pod.rules()).toBe('changed');
    await run(inside(POD, 'nft', 'delete', 'table', 'inet', 'tidelock'));
    expect(await pod.rules()).toBe('missing');
  });

  test('rulesAsListed() is what rulesIn() reads of a captured pod, until they are removed', async () => {
    const netns = `/run/netns/${POD}`;
    expect(await rulesIn(run, netns)).toBeUndefined();
    const plaintext: Plaintext = {
      inbound: 'refuse',
      inboundExcept: [{ network: '10.77.1.0/24', ports: [443, 80] }],
      udp: 'refuse',
      udpExcept: [{ network: 'fd77::/64', ports: [] }],
    };
    await capture(plaintext);
    await expect(connectFrom(OUTSIDE, `TCP:${POD_IP}:8080`)).rejects.toThrow(/refused/);
    expect(await rulesIn(run, netns)).toBe(await rulesAsListed(run, plaintext));
    await removeRulesIn(run, netns);
    expect(await rulesIn(run, netns)).toBeUndefined();
    await removeRulesIn(run, netns);
  });

  test('CapturedPod.rules() stays intact while rules count', async () => {
    const pod = await capture();
    await expect(connectFrom(OUTSIDE, `TCP:${POD_IP}:8080`)).rejects.toThrow(/refused/);
    expect(await pod.rules()).toBe('intact');
  });

  test('capturePod() replaces the rules that a killed agent left', async () => {
    const left =
      '{ chain output { type nat hook output priority -100; tcp dport 1-65535 redirect to :9; }; }';
    await run(inside(POD, 'nft', '-f', '-'), { input: `table inet tidelock ${left}` });
    answerWithDestination(await capture());
    expect(await connectFrom(POD, `TCP:${NOWHERE}:4321`)).toBe(`${NOWHERE} 4321`);
  });

  test('CapturedPod.release() and forget() leave the pod as it was', async () => {
    const before = await ruleset();
    const pod = await capture();
    await freeLast();
    expect(await ruleset()).toBe(before);
    await serve(OUTSIDE, OUTSIDE_IP, 'TCP');
    const { stdout } = await run(inside(POD, 'socat', '-t5', '-', `TCP:${OUTSIDE_IP}:8080`), {
      input: 'free',
    });
    expect(stdout.toString()).toBe('free');
    expect(pod.listeners).toHaveLength(2);
  });

  test('capturePod() says so when the port is taken in the pod, and leaves no rule', async () => {
    const { stderr } = start(POD, 'socat', '-dd', 'TCP-LISTEN:15001,bind=127.0.0.1', 'EXEC:cat');
    if (stderr) await once(stderr, 'data');
    const impatient = {
      ...systemClock,
      after: (_ms: number, f: () => void) => systemClock.after(0, f),
    };
    const spec = {
      uid: 'pod-1',
      netnsPath: `/run/netns/${POD}`,
      ips: [],
      plaintext: BY_DEFAULT,
      sourceAddress: 'preserve',
    } as const;
    await expect(capturePod(spec, { run, clock: impatient })).rejects.toMatchObject({
      code: 'POD_PORT_IN_USE',
    });
    expect(await ruleset()).toBe('');
  });

  test('capturePod() refuses a path that is gone or is no network namespace', async () => {
    for (const path of ['/run/netns/none-such', '/proc/self/ns/uts', '/etc/hostname']) {
      await expect(capture({}, path)).rejects.toMatchObject({ code: 'NETNS_UNAVAILABLE' });
    }
  });

  test('withNetns() returns to the namespace of the thread, also when the inside throws', () => {
    const here = readlinkSync('/proc/thread-self/ns/net');
    const netns = openNetns(`/run/netns/${POD}`);
    const there = withNetns(netns, () => readlinkSync('/proc/thread-self/ns/net'));
    expect(there).not.toBe(here);
    expect(() => withNetns(netns, fail)).toThrow('inside');
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(here);
    netns.close();
  });

  test('CapturedPod.makeSockets() closes what it made when it cannot make all', async () => {
    const pod = await capture();
    const before = pod.makeSockets(1, 4);
    expect(() => pod.makeSockets(1 << 20, 4)).toThrow(
      expect.objectContaining({ code: 'SYSCALL_FAILED' }),
    );
    const after = pod.makeSockets(1, 4);
    expect(after[0]).toBeLessThanOrEqual((before[0] ?? 0) + 1);
    [...before, ...after].forEach(closeFd);
  });
});
