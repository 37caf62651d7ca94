import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startNginx } from '#hwtest/rig/servers.ts';
import { fetchFrom, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

const LANE_PORT = 15_008;
const here = import.meta.dirname;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('nobody', 'node-a', 'nobody'),
      pod('server', 'node-b', 'server'),
    ],
  });
  const { place, dir } = both.rig.pod('server');
  await startNginx(place, dir, 'canary');
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

const PROBES: Readonly<Record<string, Buffer>> = {
  nothing: Buffer.alloc(0),
  'one byte': Buffer.from([0]),
  'a GET': Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
  'a TLS hello': Buffer.concat([Buffer.from('16030100c8010000c40303', 'hex'), randomBytes(196)]),
  'an SSH banner': Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'),
  'an opening of noise': randomBytes(2048),
  '32 KiB of noise': randomBytes(32_768),
};

interface Seen {
  readonly received: number;
  readonly ms: number;
  readonly end: string;
}

/** Probes the lane port of node-b from the namespace of node-a. */
async function probe(payload: Buffer): Promise<Seen> {
  const { rig } = both;
  const { address } = rig.node('node-b');
  const argv = [
    process.execPath,
    `${here}/stranger.ts`,
    address,
    String(LANE_PORT),
    payload.toString('hex'),
  ] as const;
  const { stdout } = await rig.exec(rig.node('node-a'), argv, { timeoutMs: 120_000 });
  return JSON.parse(stdout.toString()) as Seen;
}

describe('a stranger at the lane port', () => {
  test('G8: gets no byte and an ordinary end, whatever it sends', async () => {
    const seen = await Promise.all(
      Object.entries(PROBES).map(async ([name, payload]) => ({ name, ...(await probe(payload)) })),
    );
    for (const { name, received, ms, end } of seen)
      report(`${name}: ${received} bytes, ${end} after ${ms} ms`);
    expect(seen.map(({ name, received, end }) => ({ name, received, end }))).toEqual(
      Object.keys(PROBES).map((name) => ({ name, received: 0, end: 'fin' })),
    );
    expect((await fetchFrom(both, 'client', both.rig.pod('server'))).code).toBe(0);
  });

  test('nc gets no byte', async () => {
    const { rig } = both;
    const { address } = rig.node('node-b');
    const script = `printf 'hello\\n' | nc.openbsd -w 30 ${address} ${LANE_PORT}`;
    const { stdout } = await rig.exec(rig.node('node-a'), ['sh', '-c', script], {
      timeoutMs: 60_000,
      okCodes: [0, 1],
    });
    expect(stdout.length).toBe(0);
  });
});

describe('a pod with CAP_NET_RAW', () => {
  const marked = async (podName: string, mark: number): Promise<string> => {
    const { address } = both.rig.pod('server');
    const argv = [
      'setpriv',
      '--bounding-set=-all,+net_raw',
      '--inh-caps=-all,+net_raw',
      process.execPath,
      `${here}/marked.ts`,
      address,
      '8080',
      String(mark),
    ] as const;
    return (await both.exec(podName, argv)).stdout.toString();
  };

  test('is redirected whatever mark it sets: its policy holds', async () => {
    const before = await both.agent('node-a').status();
    for (const mark of [1, 0x1337, 15_001, 0xffff_ffff | 0]) {
      expect(await marked('client', mark)).toMatch(/canary\n$/);
      expect(await marked('nobody', mark)).not.toMatch(/canary/);
    }
    const after = await both.agent('node-a').status();
    expect(after.lanes.openedOut - before.lanes.openedOut).toBe(4);
    expect((after.lanes.refused['policy'] ?? 0) - (before.lanes.refused['policy'] ?? 0)).toBe(4);
  });
});

test('plaintext from outside reaches no captured pod', async () => {
  const { rig } = both;
  const { address } = rig.pod('server');
  const argv = ['curl', '-sS', '--max-time', '5', `http://${address}:8080/canary`] as const;
  const { code, stdout } = await rig.exec(rig.node('node-a'), argv, { okCodes: [0, 7, 28, 56] });
  expect({ code, bytes: stdout.length }).toEqual({ code: 7, bytes: 0 });
});
