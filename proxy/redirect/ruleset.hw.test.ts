// What the rules let pass of plaintext from outside and of UDP, and what they count.
import { describe, expect, test } from 'vitest';
import { run, type RunResult } from '#agent/base/run.ts';
import {
  beforeAndAfterEach,
  capture,
  connectFrom,
  inside,
  ip,
  NOWHERE,
  NOWHERE6,
  OUTSIDE,
  OUTSIDE_IP,
  POD,
  POD_IP,
  POD_IP6,
  serve,
} from './podAndOutside.fixture.ts';

describe('rules of a captured pod', () => {
  beforeAndAfterEach();

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
});
