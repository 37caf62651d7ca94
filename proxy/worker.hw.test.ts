// The whole data path with real processes: two data planes (unprivileged, permission model) and two
// pods as namespaces that have no network but themselves, so that a byte gets across by a lane or not
// at all.
//
//   pod a  connect 10.77.2.2:7000 -> redirect :15001 -> data plane a -> lane on loopback
//   pod b  socat on 10.77.2.2:7000 <- socket made in its namespace  <- data plane b
import { once } from 'node:events';
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { capturePod, type CapturedPod } from '#proxy/redirect/pod.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import type { LaneEvent } from './facts.ts';
import { Counters } from './counters.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { startDataPlane, type DataPlane } from './plane.ts';
import { PlaneRecord } from './planeRecord.ts';
import { ReplaySet } from './replay.ts';
import type { Snapshot } from './snapshot.ts';
import { freePort } from './ports.fixture.ts';
import { TwoNodes, type TestNode } from './twoNodes.fixture.ts';

const UID = 15_008;
const NAME = `tld${process.pid}`;
const IPS = ['10.77.1.2', '10.77.2.2'] as const;
const WAIT = { timeout: 30_000, interval: 20 };
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

const ip = (...args: string[]): Promise<unknown> => run(['ip', ...args]);
const netnsOf = (node: TestNode): string => `${NAME}${node.podUid}`;
const inside = (node: TestNode, ...argv: string[]): readonly [string, ...string[]] => [
  'ip',
  'netns',
  'exec',
  netnsOf(node),
  ...argv,
];

interface Side {
  readonly node: TestNode;
  readonly plane: DataPlane;
  readonly counters: Counters;
  readonly pod: CapturedPod;
  readonly events: LaneEvent[];
}

const two = new TwoNodes({ podIps: IPS, periodMs: 30_000 });
const sides: Side[] = [];
/** How the control plane of either node answers whose an address is, and which peers it was told are in use. */
let whereIs = (_address: string): Promise<boolean | undefined> => Promise.resolve(false);
const used: NodeName[] = [];
const undo: (() => unknown)[] = [];

async function startSide(node: TestNode): Promise<Side> {
  const pod = await addPod(node);
  const counters = Counters.create();
  const replay = ReplaySet.create({
    periodMs: 30_000,
    openingsPerPeriod: 1000,
    quotaPerSource: 1000,
    sources: 4,
  });
  const events: LaneEvent[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'tidelock-door-'));
  undo.push(() => rmSync(folder, { recursive: true }));
  const record = await PlaneRecord.open(folder, { clock: systemClock, log: () => undefined });
  const plane = startDataPlane({
    nodePath: process.execPath,
    mainPath: MAIN,
    settings: { workers: 2, uid: UID, gid: UID, build: 'test' },
    replay,
    counters,
    makeSockets: (_uid, family, count) => pod.makeSockets(count, family),
    onEvent: (event) => events.push(event),
    onWhereIs: (address) => whereIs(address),
    onUsing: (peers) => used.push(...peers),
    log: () => undefined,
    clock: systemClock,
    random: () => 0,
    staleAfterMs: 60_000,
    record,
  });
  undo.push(async () => {
    await plane.close();
    record.close();
  });
  node.lanePort = await freePort();
  const lane = tcpListener('127.0.0.1', node.lanePort);
  undo.push(() => [lane, replay.fd, counters.fd].forEach(closeFd));
  plane.listen({ kind: 'lane' }, lane);
  for (const { fd, family } of pod.listeners) {
    plane.listen({ kind: 'pod', podUid: node.podUid, family }, fd);
  }
  return { node, plane, counters, pod, events };
}

async function addPod(node: TestNode): Promise<CapturedPod> {
  const netns = netnsOf(node);
  await ip('netns', 'add', netns);
  undo.push(() => ip('netns', 'delete', netns));
  await ip('-n', netns, 'link', 'set', 'lo', 'up');
  await ip('-n', netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'nowhere');
  await ip('-n', netns, 'link', 'set', 'nowhere', 'up');
  await ip('-n', netns, 'address', 'add', `${node.podIp}/24`, 'dev', 'eth0');
  await ip('-n', netns, 'link', 'set', 'eth0', 'up');
  await ip('-n', netns, 'route', 'add', 'default', 'dev', 'eth0');
  const spec = { uid: node.podUid, netnsPath: `/run/netns/${netns}`, ips: [node.podIp] };
  const pod = await capturePod(
    { ...spec, plaintext: BY_DEFAULT, sourceAddress: 'preserve' },
    { run, clock: systemClock },
  );
  undo.push(() => pod.forget());
  undo.push(() => pod.release());
  return pod;
}

/** socat in the pod of node b, echoing on `port`. */
async function echoIn(node: TestNode, port: number): Promise<ChildProcess> {
  const listen = `TCP-LISTEN:${port},bind=${node.podIp},fork,reuseaddr`;
  const [program, ...args] = inside(node, 'socat', '-d', '-d', listen, 'EXEC:cat');
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  undo.push(async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  for await (const line of child.stderr) if (String(line).includes('listening')) break;
  child.stderr.resume();
  return child;
}

/** Gives both data planes the present view. */
function tell(outside: Partial<Snapshot> = {}): readonly number[] {
  const [a, b] = sides;
  if (!a || !b) throw new Error('not started');
  two.tell({ outside });
  const views = [two.snapshot(a.node, b.node), two.snapshot(b.node, a.node)] as const;
  a.plane.publish(views[0]);
  b.plane.publish(views[1]);
  return views.map(({ version }) => version);
}

/** The same, and waits until their workers use it. */
async function publish(outside: Partial<Snapshot> = {}): Promise<void> {
  const versions = tell(outside);
  await vi.waitFor(() => {
    const acked = sides.map(({ plane }) => plane.status().ackedVersion);
    expect(acked).toEqual(versions);
  }, WAIT);
}

describe('the data path', () => {
  beforeAll(async () => {
    sides.push(await startSide(two.a), await startSide(two.b));
    await publish();
    await echoIn(two.b, 7000);
  });

  afterAll(async () => {
    for (const step of undo.splice(0).reverse()) await step();
    two.close();
  });

  test('carries an unmodified program byte-exact from pod to pod', async () => {
    const input = randomBytes(8 << 20);
    const target = `TCP:${two.b.podIp}:7000`;
    const { stdout } = await run(inside(two.a, 'socat', '-t30', '-', target), { input });
    const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    expect(digest(stdout)).toBe(digest(input));
    const [a, b] = sides;
    expect(a?.counters.totals()).toMatchObject({ lanesOpenedOut: 1, bytesOut: input.length });
    expect(b?.counters.totals()).toMatchObject({ lanesOpenedIn: 1, bytesIn: input.length });
    await vi.waitFor(() => expect(b?.plane.status().asymmetric.tokens).toBe(2), WAIT);
    await vi.waitFor(() => {
      expect(sides.map(({ counters }) => counters.totals().active)).toEqual([0, 0]);
    }, WAIT);
  });

  test('asks whose an address is that no snapshot has, and carries once one has it', async () => {
    await publish({ asks: true, peers: [], remotes: [] });
    const asked: string[] = [];
    whereIs = (address) => {
      asked.push(address);
      const isFound = address === two.b.podIp;
      if (isFound) tell({ asks: true }); // and answers at once: whoever hears that has the snapshot
      return Promise.resolve(isFound);
    };
    const say = (target: string) =>
      run(inside(two.a, 'socat', '-d', '-t30', '-T5', '-', target), {
        input: Buffer.from('early'),
        okCodes: [0, 1],
      });
    expect(String((await say(`TCP:${two.b.podIp}:7000`)).stdout)).toBe('early');
    expect((await say('TCP:203.0.113.9:80')).stderr).toContain('reset by peer');
    expect(asked).toEqual([two.b.podIp, '203.0.113.9']);
    expect(sides[0]?.plane.status().canAsk).toBe(true);
    await vi.waitFor(() => expect(used).toContain(two.b.name), WAIT);
  });

  test('refuses by RST what no agent serves and what the policy does not allow', async () => {
    const attempt = async (target: string): Promise<string> => {
      const result = await run(inside(two.a, 'socat', '-d', '-u', '-T5', target, '-'), {
        okCodes: [0, 1],
      });
      return result.stderr;
    };
    expect(await attempt('TCP:203.0.113.9:80')).toContain('reset by peer');
    two.tell({ policy: { version: 2, defaultAction: 'DENY', rules: [] } });
    await publish();
    expect(await attempt(`TCP:${two.b.podIp}:7000`)).toContain('reset by peer');
    await vi.waitFor(() => {
      const reasons = sides[0]?.events.map(({ reason }) => reason);
      expect(reasons).toEqual(expect.arrayContaining(['no-agent', 'policy']));
    }, WAIT);
  });
});
