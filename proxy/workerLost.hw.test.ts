// A worker thread that ends by a defect, in the real process: what becomes of its connections, of those
// of the others, and of new ones.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test, vi } from 'vitest';
import {
  ask,
  listenFor,
  running,
  SETTINGS,
  snapshot,
  start,
  undo,
  WAIT,
  type LogLine,
} from './plane.fixture.ts';
import { CRASH_POD, HOLD_POD, type ProbeAnswer } from './plane.probe.ts';

interface Held extends Pick<ProbeAnswer, 'worker' | 'chainKey' | 'wholeChains'> {
  readonly socket: Socket;
}

/** What the log says of the n-th worker that was lost. */
const lostWorker = (log: readonly LogLine[], n: number): Promise<LogLine['fields']> =>
  vi.waitFor(() => {
    const line = log.filter(({ event }) => event === 'plane.worker')[n - 1];
    if (line === undefined) throw new RangeError('none yet');
    return line.fields;
  }, WAIT);

const isOf =
  (lost: LogLine['fields']) =>
  ({ worker }: Held): boolean =>
    worker === lost['worker'];
const isReset = ({ socket }: Held): boolean =>
  socket.errored !== null && 'code' in socket.errored && socket.errored.code === 'ECONNRESET';

/** Connections that stay, as many as it takes until `workers` workers have one. */
async function holdAll(port: number, workers: number): Promise<readonly Held[]> {
  const held: Held[] = [];
  while (new Set(held.map(({ worker }) => worker)).size < workers) {
    const socket = connect({ host: '127.0.0.1', port });
    undo.push(() => socket.destroy());
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.on('error', () => undefined).resume();
    held.push({ socket, ...(JSON.parse(String(answer)) as ProbeAnswer) });
  }
  return held;
}

/** How a connection ends: the code of its error, or `end`. */
async function endOf(port: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port }).resume();
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('end', () => resolve('end'));
  });
}

/** Names of all, and the newest whole: the others were told before. */
const NAMED = { chains: 12, wholeChains: 8 };

test('startDataPlane() has a spare take the place of a worker that died, and the others’ connections live', async () => {
  const { plane, log } = await start();
  plane.publish(snapshot(7, 0x77, NAMED.chains));
  const [port, holding, crashing] = ['pod-1', HOLD_POD, CRASH_POD].map((uid) =>
    listenFor(plane, uid),
  );
  await running(plane);
  const { pid } = plane.status();
  expect(plane.status()).toMatchObject({ working: 2, spares: 1 });
  expect(await ask(port ?? 0)).toMatchObject({ chains: NAMED.chains, wholeChains: NAMED.chains });
  plane.publish(snapshot(8, 0x77, NAMED.chains));
  await vi.waitFor(() => expect(plane.status().ackedVersion).toBe(8), WAIT);
  expect(await ask(port ?? 0)).toMatchObject(NAMED);
  const held = await holdAll(holding ?? 0, SETTINGS.workers);

  expect(await endOf(crashing ?? 0)).toBe('ECONNRESET');
  const lost = await lostWorker(log, 1);
  expect(lost).toMatchObject({ pid, why: 'told to crash', working: 2, spares: 0 });
  const [its, others] = [held.filter(isOf(lost)), held.filter((each) => !isOf(lost)(each))];
  await vi.waitFor(() => expect(its.every(isReset)).toBe(true), WAIT);
  const anew = await holdAll(holding ?? 0, SETTINGS.workers);
  const spare = anew.find(isOf(lost));
  expect(spare).toMatchObject({ chainKey: '77'.repeat(32), wholeChains: NAMED.chains });
  expect(others.some(({ socket }) => socket.destroyed)).toBe(false);

  expect(await endOf(crashing ?? 0)).toBe('ECONNRESET'); // no spare is left: one fewer
  const next = await lostWorker(log, 2);
  expect(next).toMatchObject({ pid, working: 1, spares: 0 });
  expect(await ask(port ?? 0)).toMatchObject({ chainKey: '77'.repeat(32), counted: 1 });
  const left = [...others, ...anew].filter((each) => !isOf(next)(each));
  expect(left.length).toBeGreaterThan(0);
  expect(left.some(({ socket }) => socket.destroyed)).toBe(false);
  expect(plane.status()).toMatchObject({ pid, restarts: 0, working: 1, spares: 0 });

  expect(await endOf(crashing ?? 0)).toBe('ECONNRESET'); // none is left
  await running(plane, 1);
  const words = log.find((line) => line.event === 'plane.lastWords')?.fields['words'];
  expect(words).toMatch(/DATA_PLANE_FAILED: .*told to crash/);
  expect(plane.status()).toMatchObject({ working: 2, spares: 1 });
});
