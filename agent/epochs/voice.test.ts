import { expect, test } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { ChainKeeper } from './keeper.ts';
import { drawNode, PERIOD_MS, stillClock } from './records.fixture.ts';
import { subjectsOf } from './subjects.ts';
import { Voice } from './voice.ts';
import { Whereabouts } from './whereabouts.ts';

const NODE = 'node-a' as NodeName;
const subjects = subjectsOf('c');

test('speak() says presence only when the data plane knows the statement; a withdrawal at once', async () => {
  const own = await drawNode(NODE);
  const said: string[] = [];
  let isTold = false;
  const bus = {
    connected: true,
    subjects: () => Promise.resolve([]),
    publish: (subject: string) => {
      said.push(subject);
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
    node: NODE,
    isTold: () => isTold,
    directory: () => ({ lane: { address: '192.0.2.1', port: 15_008 }, pods: [] }),
  });
  await voice.speak();
  expect(said).toEqual([subjects.workloads(NODE)]);
  await voice.withdraw('PCR 7');
  expect(said.slice(1)).toEqual([subjects.presence(NODE), subjects.join(NODE)]);
  isTold = true;
  await voice.speak();
  expect(said.slice(3)).toEqual([subjects.presence(NODE)]);
});
