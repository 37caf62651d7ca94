import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitListening } from '#hwtest/rig/program.ts';
import { eventually, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

const PERIOD_MS = 30_000;
/** Data planes report their counts once a second. */
const COUNTED_MS = 2_000;
const ECHO_PORT = 7;
const here = import.meta.dirname;

let both: TwoNodes;
beforeAll(async () => {
  const pods = [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')];
  both = await twoNodes({ pods, periodMs: PERIOD_MS });
  const server = both.rig.pod('server');
  const argv = [process.execPath, `${here}/echo.ts`, String(ECHO_PORT)] as const;
  await waitListening(both.rig.spawn(server, argv, { name: 'echo' }), ECHO_PORT);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

/** By then in a slot its record has been made. */
const RECORDED_MS = 0.6 * PERIOD_MS;
/** What a slot takes by itself at both nodes: its record, what they say and hear, now and then a generation. */
const OF_SLOT = 16;

/** Waits for a slot to begin and for what nodes say in it to be over, and says when it began. */
async function settledSlot(): Promise<{ readonly slot: number; readonly beganMs: number }> {
  const slot = async (): Promise<number> => (await both.agent('node-a').status()).epochs.slot;
  const before = await slot();
  const next = await eventually(
    'a new slot',
    async () => {
      const now = await slot();
      return now > before ? now : undefined;
    },
    2 * PERIOD_MS,
  );
  const beganMs = performance.now();
  await pause(COUNTED_MS); // the data planes have the slot's tokens
  await connections(10); // which are checked once, whoever opens lanes in it
  return { slot: next.value, beganMs };
}

interface Counted {
  readonly opened: number;
  readonly failed: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly ms: number;
}

async function connections(count: number): Promise<Counted> {
  const { address } = both.rig.pod('server');
  const argv = [
    process.execPath,
    `${here}/connector.ts`,
    address,
    String(ECHO_PORT),
    String(count),
    '32',
  ] as const;
  const { stdout } = await both.exec('client', argv, 2 * PERIOD_MS);
  return JSON.parse(stdout.toString()) as Counted;
}

/** The counts once they stand still. */
async function operations(): Promise<Operations> {
  for (let last = await countNow(); ;) {
    await pause(COUNTED_MS);
    const now = await countNow();
    if (now.total === last.total) return now;
    last = now;
  }
}

interface Operations {
  readonly slot: number;
  readonly total: number;
  readonly lanes: number;
  /** By node and reason since the start: what a failure is explained by. */
  readonly refused: object;
}

async function countNow(): Promise<Operations> {
  const [a, b] = await Promise.all([both.agent('node-a').status(), both.agent('node-b').status()]);
  return {
    slot: a.epochs.slot,
    total: a.asymmetric.total + b.asymmetric.total,
    lanes: b.lanes.openedIn,
    refused: { 'node-a': a.lanes.refused, 'node-b': b.lanes.refused },
  };
}

test('G1: 10,000 lanes within one slot cost no asymmetric operation, nor do 100', async () => {
  const deltas: number[] = [];
  for (const count of [100, 10_000]) {
    const { slot, beganMs } = await settledSlot();
    const before = await operations();
    const counted = await connections(count);
    await pause(Math.max(0, beganMs + RECORDED_MS - performance.now()));
    const after = await operations();
    expect(counted, JSON.stringify(after.refused)).toMatchObject({ opened: count, failed: 0 });
    expect(after.lanes - before.lanes).toBe(count);
    expect([before.slot, after.slot], 'all of it within one slot').toEqual([slot, slot]);
    deltas.push(after.total - before.total);
    report(
      `${counted.opened} of ${count} lanes in ${counted.ms} ms, ${counted.failed} failed ${JSON.stringify(counted.errors)}, refused ${JSON.stringify(after.refused)}: ${after.total - before.total} asymmetric operations`,
    );
  }
  for (const delta of deltas) expect(delta).toBeLessThanOrEqual(OF_SLOT);
});
