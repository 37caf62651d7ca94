import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { kidsIn } from './kids.ts';
import { answersOf, countedTo, startSession } from './session.ts';
import { fetchFrom, report, twoServedPairs, type TwoNodes } from './twoNodes.ts';

const PERIOD_MS = 5_000;
const OUTAGE_MS = 60_000;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoServedPairs(PERIOD_MS);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

test('G7: NATS killed for 60 s under load: no failed request, new kids, a new pair connects', async () => {
  const { rig } = both;
  const server = rig.pod('server');
  // A connection that lives through the whole outage, one exchange each 100 ms
  const session = startSession(rig, rig.pod('client'), server, 'n');
  const capture = await rig.capture('outage');
  await rig.bus.kill();
  const fromMs = performance.now();
  let requests = 0;
  const failures: string[] = [];
  let newPair: string | undefined;
  while (performance.now() - fromMs < OUTAGE_MS) {
    const answer = await fetchFrom(both, 'client', server);
    requests += 1;
    if (answer.code !== 0) failures.push(`request ${requests}: ${answer.stderr}`);
    if (newPair === undefined && performance.now() - fromMs > OUTAGE_MS / 2) {
      newPair = (await fetchFrom(both, 'client-2', rig.pod('server-2'))).stdout.toString().trim();
    }
    await pause(50);
  }
  const away = await both.agent('node-a').status();
  await rig.bus.start();
  await capture.stop();
  const kids = await kidsIn(capture.file);
  const lines = answersOf(session);
  report(
    `${requests} requests and ${lines.length} on one connection, ${failures.length} failed, ${kids.length} kids`,
  );

  expect(away.epochs.busConnected).toBe(false);
  expect(failures).toEqual([]);
  expect(newPair).toBe('canary of server-2');
  expect(session.running()).toBe(true);
  expect(lines).toEqual(countedTo(lines.length));
  expect(kids.length).toBeGreaterThanOrEqual(OUTAGE_MS / PERIOD_MS - 1);

  const record = (away.epochs.chains[0]?.epoch ?? 0) + 1;
  await both.agent('node-b').until('a new record', ({ epochs }) => epochs.epoch > record, 60_000);
  await both.inStep();
});
