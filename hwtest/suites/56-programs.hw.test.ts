import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitListening, type Argv } from '#hwtest/rig/program.ts';
import type { Conduct } from './conduct.ts';
import { eventually, NODES, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

const PORT = 7100;
const STALL_PORT = 7200;
const here = import.meta.dirname;
const SERVERS = ['server', 'near'];

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('server', 'node-b', 'server'),
      pod('near', 'node-a', 'server'),
    ],
  });
  for (const name of SERVERS) {
    const argv: Argv = [process.execPath, `${here}/conduct.ts`, 'serve', String(PORT)];
    await waitListening(both.rig.spawn(both.rig.pod(name), argv, { name: 'conduct' }), PORT);
  }
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

/** What both ends of each connection see from one pod to an address. */
async function conductFrom(name: string, address: string): Promise<Conduct> {
  const argv: Argv = [process.execPath, `${here}/conduct.ts`, 'ask', address, String(PORT)];
  const { stdout, stderr } = await both.exec(name, argv, 60_000);
  expect(stderr).toBe('');
  return JSON.parse(stdout.toString()) as Conduct;
}

const texts = (conduct: Conduct): Record<string, readonly [client: string, server: string]> =>
  Object.fromEntries(
    Object.entries(conduct).map(([way, { client, server }]) => [way, [client.text, server.text]]),
  );

describe('56-programs', () => {
  test.each(SERVERS)(
    'programs see of a connection to %s what they see over loopback',
    async (to) => {
      // Loopback is never captured: it is the connection as it would be without an agent.
      const direct = await conductFrom(to, '127.0.0.1');
      const carried = await conductFrom('client', both.rig.pod(to).address);
      expect(texts(carried)).toEqual(texts(direct));
      const resets = Object.values(texts(direct))
        .flat()
        .filter((text) => text === 'ECONNRESET');
      expect(resets.length).toBeGreaterThanOrEqual(4); // loopback shows them, so that they can be missed
      const pieces = [direct, carried].map((each) => each['single bytes']?.server.pieces ?? 0);
      report(
        `100 writes of a byte to ${to} arrived in ${pieces[1]} pieces, over loopback in ${pieces[0]}`,
      );
      expect(pieces[1]).toBeGreaterThan((pieces[0] ?? 0) / 2); // Nagle makes a dozen of them
    },
  );

  test('a port where nobody listens is a reset at once, and both agents say why', async () => {
    const { address } = both.rig.pod('server');
    const fromMs = performance.now();
    const { code } = await both.exec('client', ['curl', '-sS', `http://${address}:1/`]);
    report(`a closed port was refused after ${Math.round(performance.now() - fromMs)} ms`);
    expect(code).toBe(56); // curl(1): failure in receiving network data
    const refused = await Promise.all(
      NODES.map(async (node) => (await both.agent(node).status()).lanes.refused),
    );
    expect(refused[0]).toMatchObject({ 'peer-denied': 1 });
    expect(refused[1]).toMatchObject({ 'pod-unreachable': 1 });
  });

  test('programs that do not read hold back their own writers alone, in bounded memory', async () => {
    const { rig } = both;
    const { address } = rig.pod('server');
    const stalls = 40;
    const stalled: Argv = ['socat', '-u', `TCP-LISTEN:${STALL_PORT},fork`, 'SYSTEM:sleep 1000'];
    await waitListening(rig.spawn(rig.pod('server'), stalled, { name: 'stalled' }), STALL_PORT);
    const before = await memory();
    const writers = Array.from({ length: stalls }, (_, n) =>
      rig.spawn(rig.pod('client'), ['socat', '-u', '/dev/zero', `TCP:${address}:${STALL_PORT}`], {
        name: `writer-${n}`,
      }),
    );
    const carried = async (): Promise<number> =>
      (await both.agent('node-a').status()).lanes.bytesOut;
    await eventually(
      'all writers held back',
      async () => {
        const was = await carried();
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return was > stalls && (await carried()) === was ? true : undefined;
      },
      60_000,
    );
    const direct = await conductFrom('server', '127.0.0.1');
    expect(texts(await conductFrom('client', address))).toEqual(texts(direct));
    const after = await memory();
    expect(writers.every((writer) => writer.running())).toBe(true);
    for (const [i, node] of NODES.entries()) {
      const grown = (after[i] ?? 0) - (before[i] ?? 0);
      report(`${stalls} stalled lanes: data plane of ${node} grew by ${grown.toFixed(0)} MiB`);
      expect(grown).toBeLessThan(stalls * MIB_A_STALLED_LANE + SLACK_MIB);
    }
    await Promise.all(writers.map((writer) => writer.stop()));
  }, 120_000);
});

/** What may wait in a leg (proxy/leg.ts), and one read beyond it, sealed. */
const MIB_A_STALLED_LANE = 1;
/** What a runtime takes that has just begun to work. */
const SLACK_MIB = 60;

/** Resident memory of the data planes of both nodes, MiB. */
const memory = (): Promise<number[]> =>
  Promise.all(
    NODES.map(async (node) => {
      const { pid } = (await both.agent(node).status()).dataPlane;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024;
    }),
  );
