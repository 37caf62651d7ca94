// A pod and the world outside it as two namespaces joined by a veth; this process stays outside both.
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { run, type RunResult } from '#agent/base/run.ts';
import { closeFd, dupFd } from '#proxy/native/fd.ts';
import { Acceptor } from '#proxy/acceptor.ts';
import { Leg } from '#proxy/leg.ts';
import { hearing, testReactor } from '#proxy/leg.fixture.ts';
import { originalDestination } from '#proxy/native/socket.ts';
import { encodeSockaddr, type Endpoint } from '#proxy/native/sockaddr.ts';
import { openNetns, withNetns } from '#proxy/native/netns.ts';
import { capturePod, type CapturedPod } from './pod.ts';
import { removeRulesIn, rulesAsListed, rulesIn } from './nftables.ts';
import { BY_DEFAULT } from './plaintext.fixture.ts';
import { CLIENT_MARK, type Plaintext } from './ruleset.ts';

const NAME = `tlc${process.pid}`;
const POD = `${NAME}pod`;
const OUTSIDE = `${NAME}out`;
const POD_IP = '10.77.0.2';
const OUTSIDE_IP = '10.77.0.1';
const POD_IP6 = 'fd77::2';
/** Addresses nobody has: documentation prefixes of RFC 5737 and RFC 3849. */
const NOWHERE = '203.0.113.9';
const NOWHERE6 = '2001:db8::9';

const ip = (...args: string[]): Promise<unknown> => run(['ip', ...args]);
const inside = (netns: string, ...argv: string[]): readonly [string, ...string[]] => [
  'ip',
  'netns',
  'exec',
  netns,
  ...argv,
];

const describeEndpoint = (to: Endpoint): string => `${to.address} ${to.port}`;
const connectFrom = async (netns: string, target: string): Promise<string> => {
  const { stdout } = await run(inside(netns, 'socat', '-u', '-T5', target, '-'));
  return stdout.toString();
};
const ruleset = async (): Promise<string> =>
  (await run(inside(POD, 'nft', 'list', 'ruleset'))).stdout.toString();
const fail = (): never => {
  throw new RangeError('inside');
};

describe('capturePod()', () => {
  const captured: CapturedPod[] = [];
  const listeners: Acceptor[] = [];
  const programs: ChildProcess[] = [];

  beforeEach(async () => {
    await ip('netns', 'add', POD);
    await ip('netns', 'add', OUTSIDE);
    await ip('link', 'add', 'eth0', 'netns', POD, 'type', 'veth', 'peer', 'eth0', 'netns', OUTSIDE);
    for (const [netns, address, address6] of [
      [POD, POD_IP, POD_IP6],
      [OUTSIDE, OUTSIDE_IP, 'fd77::1'],
    ] as const) {
      await ip('-n', netns, 'link', 'set', 'lo', 'up');
      await ip('-n', netns, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await ip('-n', netns, '-6', 'address', 'add', `${address6}/64`, 'dev', 'eth0', 'nodad');
      await ip('-n', netns, 'link', 'set', 'eth0', 'up');
    }
    await ip('-n', POD, 'route', 'add', 'default', 'via', OUTSIDE_IP);
    await ip('-n', POD, '-6', 'route', 'add', 'default', 'via', 'fd77::1');
  });

  afterEach(async () => {
    for (const listener of listeners.splice(0)) listener.close();
    for (const pod of captured.splice(0)) await free(pod);
    for (const program of programs.splice(0)) program.kill('SIGKILL');
    await ip('netns', 'delete', POD);
    await ip('netns', 'delete', OUTSIDE);
  });

  async function capture(plaintext: Partial<Plaintext> = {}, path = `/run/netns/${POD}`) {
    const spec = {
      uid: 'pod-1',
      netnsPath: path,
      ips: [POD_IP, POD_IP6],
      plaintext: { ...BY_DEFAULT, ...plaintext },
      sourceAddress: 'preserve',
    } as const;
    const pod = await capturePod(spec, { run, clock: systemClock });
    captured.push(pod);
    return pod;
  }

  async function free(pod: CapturedPod | undefined): Promise<void> {
    await pod?.release();
    await pod?.forget();
  }

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

  /** A program that listens in a namespace; resolves when it does. */
  async function serve(
    netns: string,
    address: string,
    protocol: 'TCP' | 'UDP',
  ): Promise<ChildProcess> {
    const [program, ...args] = inside(
      netns,
      'socat',
      '-dd',
      '-T2', // the child that answers a datagram ends too
      `${protocol}-LISTEN:8080,bind=${address},fork`,
      'EXEC:cat',
    );
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    programs.push(child);
    for await (const line of child.stderr.setEncoding('utf8')) {
      if (String(line).includes('listening on') || protocol === 'UDP') break;
    }
    return child;
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

  test('capturePod() refuses plaintext from outside and counts it', async () => {
    const pod = await capture();
    await serve(POD, POD_IP, 'TCP');
    await expect(connectFrom(OUTSIDE, `TCP:${POD_IP}:8080`)).rejects.toThrow(/refused/);
    expect(pod.counts().refusedIn).toBeGreaterThan(0);
  });

  test('capturePod() with inbound plain lets connections from outside in', async () => {
    await capture({ inbound: 'plain' });
    await serve(POD, POD_IP, 'TCP');
    const { stdout } = await run(inside(OUTSIDE, 'socat', '-t5', '-', `TCP:${POD_IP}:8080`), {
      input: 'plain',
    });
    expect(stdout.toString()).toBe('plain');
  });

  test('capturePod() lets in what is excepted by source and port, counts it, and nothing else', async () => {
    const pod = await capture({
      inboundExcept: [
        { network: '10.77.0.0/30', ports: [8080] },
        { network: 'fd77::/64', ports: [8080] },
      ],
    });
    await serve(POD, POD_IP, 'TCP');
    const { stdout } = await run(inside(OUTSIDE, 'socat', '-t5', '-', `TCP:${POD_IP}:8080`), {
      input: 'alive?',
    });
    expect(stdout.toString()).toBe('alive?');
    expect(pod.counts()).toMatchObject({ plainIn: 1, refusedIn: 0 });
    await ip('-n', OUTSIDE, 'address', 'add', '10.77.0.9/24', 'dev', 'eth0');
    for (const target of [`TCP:${POD_IP}:8081`, `TCP:${POD_IP}:8080,bind=10.77.0.9`]) {
      await expect(connectFrom(OUTSIDE, target)).rejects.toThrow(/refused/);
    }
    expect(pod.counts()).toMatchObject({ plainIn: 1, refusedIn: 2 });
    expect(await pod.rules()).toBe('intact');
  });

  test('CapturedPod.refusedSources() names who was refused, the last one first', async () => {
    const pod = await capture();
    await ip('-n', OUTSIDE, 'address', 'add', '10.77.0.9/24', 'dev', 'eth0');
    for (const target of [
      `TCP:${POD_IP}:8080,bind=10.77.0.9`,
      `TCP:${POD_IP}:8080,bind=10.77.0.9`,
      `TCP6:[${POD_IP6}]:443`,
    ]) {
      await expect(connectFrom(OUTSIDE, target)).rejects.toThrow(/refused/);
    }
    const sources = await pod.refusedSources();
    expect(sources.map(({ address, port, count }) => [address, port, count])).toEqual(
      expect.arrayContaining([
        ['10.77.0.9', 8080, 2],
        ['fd77::1', 443, 1],
      ]),
    );
    expect(await pod.rules()).toBe('intact');
  });

  test('CapturedPod.refusedSources() keeps no more than it has room for, however many knock', async () => {
    const pod = await capture();
    const ports = Array.from({ length: 80 }, (_, i) => 9000 + i).join(' ');
    const knock = `for p in ${ports}; do socat -u TCP:${POD_IP}:$p - 2>&1; done`;
    await run(inside(OUTSIDE, 'sh', '-c', knock), { okCodes: [1] });
    expect((await pod.refusedSources()).length).toBe(64);
    expect(pod.counts().refusedIn).toBe(80);
  });

  test('capturePod() refuses UDP at once where it is told to, but to what is excepted', async () => {
    const pod = await capture({
      udp: 'refuse',
      udpExcept: [{ network: OUTSIDE_IP, ports: [8080] }],
    });
    await serve(OUTSIDE, OUTSIDE_IP, 'UDP');
    const datagram = (target: string): Promise<RunResult> =>
      run(inside(POD, 'socat', '-t1', '-', target), { input: 'datagram', okCodes: [0, 1] });
    expect(await datagram(`UDP:${OUTSIDE_IP}:8080`)).toMatchObject({
      stdout: Buffer.from('datagram'),
    });
    expect(pod.counts()).toMatchObject({ udpOut: 1, udpIn: 1, udpRefused: 0 });
    for (const target of [`UDP:${OUTSIDE_IP}:53`, `UDP:${NOWHERE}:8080`, `UDP6:[${NOWHERE6}]:53`]) {
      const { stderr } = await datagram(target);
      expect(stderr).toMatch(/unreachable|not permitted|denied/i);
    }
    expect(pod.counts()).toMatchObject({ udpOut: 1, udpRefused: 3 });
    await run(inside(OUTSIDE, 'socat', '-u', '-', `UDP:${POD_IP}:9999`), { input: 'uncalled' });
    expect(pod.counts()).toMatchObject({ udpIn: 1, udpRefused: 4 });
  });

  test('capturePod() leaves UDP on loopback alone where it refuses all other', async () => {
    const pod = await capture({ udp: 'refuse' });
    await serve(POD, POD_IP, 'UDP');
    const { stdout } = await run(inside(POD, 'socat', '-t1', '-', `UDP:${POD_IP}:8080`), {
      input: 'datagram',
    });
    expect(stdout.toString()).toBe('datagram');
    expect(pod.counts().udpRefused).toBe(0);
  });

  test('capturePod() leaves UDP alone', async () => {
    const pod = await capture();
    await serve(OUTSIDE, OUTSIDE_IP, 'UDP');
    const { stdout } = await run(inside(POD, 'socat', '-t1', '-', `UDP:${OUTSIDE_IP}:8080`), {
      input: 'datagram',
    });
    expect(stdout.toString()).toBe('datagram');
    expect(pod.counts()).toMatchObject({ udpOut: 1, udpIn: 1, udpRefused: 0 });
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
    await free(captured.pop());
    expect(await ruleset()).toBe(before);
    await serve(OUTSIDE, OUTSIDE_IP, 'TCP');
    const { stdout } = await run(inside(POD, 'socat', '-t5', '-', `TCP:${OUTSIDE_IP}:8080`), {
      input: 'free',
    });
    expect(stdout.toString()).toBe('free');
    expect(pod.listeners).toHaveLength(2);
  });

  test('capturePod() says so when the port is taken in the pod, and leaves no rule', async () => {
    const [program, ...args] = inside(
      POD,
      'socat',
      '-dd',
      'TCP-LISTEN:15001,bind=127.0.0.1',
      'EXEC:cat',
    );
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    programs.push(child);
    await once(child.stderr, 'data');
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
