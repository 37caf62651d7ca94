// For tests with root: a pod and the world outside it as two namespaces joined by a veth, made before each
// test and removed after it. This process stays outside both.
import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, beforeEach } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { BY_DEFAULT } from './plaintext.fixture.ts';
import { capturePod, type CapturedPod, type PodToCapture } from './pod.ts';
import type { Plaintext } from './ruleset.ts';

export const POD_IP = '10.77.0.2';
export const POD_IP6 = 'fd77::2';
export const OUTSIDE_IP = '10.77.0.1';
export const OUTSIDE_IP6 = 'fd77::1';
/** Addresses nobody has: documentation prefixes of RFC 5737 and RFC 3849. */
export const NOWHERE = '203.0.113.9';
export const NOWHERE6 = '2001:db8::9';

const ID = `tlc${process.pid}`;
/** Names of the two namespaces. */
export const POD = `${ID}pod`;
export const OUTSIDE = `${ID}out`;

const captured: CapturedPod[] = [];
const programs: ChildProcess[] = [];

export const ip = (...args: string[]): Promise<unknown> => run(['ip', ...args]);

/** `argv` as it is run in a namespace. */
export const inside = (netns: string, ...argv: string[]): readonly [string, ...string[]] => [
  'ip',
  'netns',
  'exec',
  netns,
  ...argv,
];

/** What is said on a connection that socat makes in a namespace. */
export async function connectFrom(netns: string, target: string): Promise<string> {
  const { stdout } = await run(inside(netns, 'socat', '-u', '-T5', target, '-'));
  return stdout.toString();
}

/** Has the two namespaces made and removed around each test of a file. */
export function beforeAndAfterEach(): void {
  beforeEach(async () => {
    await ip('netns', 'add', POD);
    await ip('netns', 'add', OUTSIDE);
    await ip('link', 'add', 'eth0', 'netns', POD, 'type', 'veth', 'peer', 'eth0', 'netns', OUTSIDE);
    for (const [netns, address, address6] of [
      [POD, POD_IP, POD_IP6],
      [OUTSIDE, OUTSIDE_IP, OUTSIDE_IP6],
    ] as const) {
      await ip('-n', netns, 'link', 'set', 'lo', 'up');
      await ip('-n', netns, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await ip('-n', netns, '-6', 'address', 'add', `${address6}/64`, 'dev', 'eth0', 'nodad');
      await ip('-n', netns, 'link', 'set', 'eth0', 'up');
    }
    await ip('-n', POD, 'route', 'add', 'default', 'via', OUTSIDE_IP);
    await ip('-n', POD, '-6', 'route', 'add', 'default', 'via', OUTSIDE_IP6);
  });
  afterEach(async () => {
    for (const pod of captured.splice(0)) await free(pod);
    for (const program of programs.splice(0)) program.kill('SIGKILL');
    await ip('netns', 'delete', POD);
    await ip('netns', 'delete', OUTSIDE);
  });
}

/** Captures the pod; it is freed after the test, if not before. */
export async function capture(
  plaintext: Partial<Plaintext> = {},
  path = `/run/netns/${POD}`,
  sourceAddress: PodToCapture['sourceAddress'] = 'preserve',
): Promise<CapturedPod> {
  const spec = {
    uid: 'pod-1',
    netnsPath: path,
    ips: [POD_IP, POD_IP6],
    plaintext: { ...BY_DEFAULT, ...plaintext },
    sourceAddress,
  };
  const pod = await capturePod(spec, { run, clock: systemClock });
  captured.push(pod);
  return pod;
}

/** Releases the pod that was captured last. */
export const freeLast = (): Promise<void> => free(captured.pop());

/** Leaves the end of the pod that was captured last to the test. */
export const keepLast = (): CapturedPod | undefined => captured.pop();

async function free(pod: CapturedPod | undefined): Promise<void> {
  await pod?.release();
  await pod?.forget();
}

/** A program in a namespace, killed after the test; what it says is on its standard error. */
export function start(netns: string, ...argv: string[]): ChildProcess {
  const [program, ...args] = inside(netns, ...argv);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  programs.push(child);
  return child;
}

/** A program that echoes on port 8080 of `address`; resolves when it listens. */
export async function serve(
  netns: string,
  address: string,
  protocol: 'TCP' | 'UDP',
): Promise<void> {
  const listen = `${protocol}-LISTEN:8080,bind=${address},fork`;
  // -T2: the child that answers a datagram ends too.
  const { stderr } = start(netns, 'socat', '-dd', '-T2', listen, 'EXEC:cat');
  for await (const line of stderr?.setEncoding('utf8') ?? []) {
    if (String(line).includes('listening on') || protocol === 'UDP') return;
  }
}
