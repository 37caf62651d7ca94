import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { ChainKeeper } from './keeper.ts';
import { drawNode, keptLog, PERIOD_MS, stillClock } from './records.fixture.ts';
import { subjectsOf } from './subjects.ts';
import { Voice } from './voice.ts';
import { Whereabouts } from './whereabouts.ts';

const NODE = 'node-a' as NodeName;
const subjects = subjectsOf('c');

/** A node whose statement is listed, and what it says on a bus that keeps the last of each subject. */
async function speaker(isTold: () => boolean) {
  const own = drawNode(NODE);
  const said: string[] = [];
  const kept = new Map<string, unknown>();
  const bus = {
    connected: true,
    subjects: () => Promise.resolve([]),
    last: (_stream: string, subject: string) => Promise.resolve(kept.get(subject)),
    publish: (subject: string, value: unknown) => {
      said.push(subject);
      kept.set(subject, value);
      return Promise.resolve(true);
    },
    request: (subject: string) => {
      said.push(subject);
      return Promise.reject(new Error('nobody conducts'));
    },
  };
  const voice = new Voice({
    bus,
    subjects,
    keeper: new ChainKeeper({ maxStalenessMs: 3_600_000 }),
    whereabouts: new Whereabouts({
      bus,
      subjects,
      clock: stillClock,
      node: NODE,
      maxStalenessMs: 3_600_000,
    }),
    own: { listed: [{ own, listedBy: undefined }] },
    slots: new SlotClock(stillClock, PERIOD_MS),
    clock: stillClock,
    log: keptLog().log,
    node: NODE,
    isTold,
    directory: () => ({ lane: { address: '192.0.2.1', port: 15_008 }, pods: [] }),
  });
  return { voice, said, kept };
}

test('speak() says presence only when the data plane knows the statement; a withdrawal at once', async () => {
  let isTold = false;
  const { voice, said } = await speaker(() => isTold);
  await voice.speak();
  expect(said).toEqual([subjects.workloads(NODE)]);
  await voice.withdraw('PCR 7');
  expect(said.slice(1)).toEqual([subjects.presence(NODE), subjects.join(NODE)]);
  isTold = true;
  await voice.speak();
  expect(said.slice(3)).toEqual([subjects.presence(NODE)]);
});

test('speak() says the directory again where something else is kept in its place', async () => {
  const { voice, said, kept } = await speaker(() => false);
  const subject = subjects.workloads(NODE);
  await voice.speak();
  const genuine = kept.get(subject);
  for (let slot = 0; slot < 12; slot += 1) await voice.speak();
  expect(said).toEqual([subject]); // it is there
  for (const found of ['garbage', undefined]) {
    kept.set(subject, found);
    for (let slot = 0; slot < 6; slot += 1) await voice.speak();
    expect(kept.get(subject)).toEqual(genuine);
  }
});
