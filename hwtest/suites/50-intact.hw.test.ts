import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hex, sha256 } from '#agent/base/bytes.ts';
import { ECHO_PORT, hold, roundOf, startEcho } from './held.ts';
import { eventually, NODES, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

/** Held by one pod at a time, beside the descriptors of the agents by default. */
const MANY = 8_000;
const AT_ONCE = 32;
/** A socket of the pod and the wire. */
const DESCRIPTORS = 2 * MANY;
const OPENED_WITHIN_MS = 180_000;
const WITHIN_MS = 60_000;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('server', 'node-b', 'server'),
      pod('near', 'node-a', 'server'),
    ],
  });
  for (const name of ['server', 'near']) await startEcho(both, name);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

describe.each(['server', 'near'])('a program that talks to %s', (server) => {
  test.each([1, 1_000, 65_537, 50_000_000])(
    'gets its %i bytes back as it sent them',
    async (length) => {
      const { rig } = both;
      const file = `${rig.pod('client').dir}/bytes`;
      const bytes = randomBytes(length);
      writeFileSync(file, bytes);
      // nc half-closes after the file: the echo can only end if the half-close arrives as one.
      const script = `nc.openbsd -N ${rig.pod(server).address} ${ECHO_PORT} < ${file} | sha256sum`;
      const { stdout } = await both.exec('client', ['sh', '-c', script], 120_000);
      expect(stdout.toString().slice(0, 64)).toBe(hex(sha256(bytes)));
    },
  );
});

test(`${MANY} connections of one pod live side by side, and go on when the keys of all have changed`, async () => {
  const status = (node: string) => both.agent(node).status();
  const fromMs = performance.now();
  const held = hold(both, 'client', MANY, AT_ONCE);
  expect(await roundOf(held, OPENED_WITHIN_MS)).toMatchObject({ live: MANY, errors: {} });
  const openedMs = performance.now() - fromMs;
  const before = await Promise.all(NODES.map(status));
  for (const { lanes, processes, node } of before) {
    const { openFds = 0, maxFds = 0 } = processes?.data ?? {};
    report(`${node.name}: ${lanes.active} lanes, ${openFds} of ${maxFds} descriptors`);
    expect(lanes).toMatchObject({ active: MANY, refused: {} });
    expect(openFds).toBeGreaterThanOrEqual(DESCRIPTORS);
    expect(openFds).toBeLessThan(maxFds);
  }
  const rekeyed = async (): Promise<true | undefined> => {
    const now = await Promise.all(NODES.map(status));
    const isEach = now.every(
      ({ lanes }, n) => lanes.keyUpdates >= (before[n]?.lanes.keyUpdates ?? 0) + MANY,
    );
    return isEach || undefined;
  };
  const { afterMs } = await eventually('new keys for all', rekeyed, WITHIN_MS);
  report(
    `opened in ${(openedMs / 1000).toFixed(1)} s, new keys for all after ${Math.round(afterMs)} ms`,
  );
  expect(await roundOf(held, WITHIN_MS)).toMatchObject({ live: MANY, errors: {} });
  await held.stop();
});
