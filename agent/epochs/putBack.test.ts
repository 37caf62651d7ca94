import { expect, test } from 'vitest';
import type { Json } from '#agent/base/jcs.ts';
import { putBack } from './putBack.ts';
import { keptLog } from './records.fixture.ts';

const OWN = { b: [1, 'two'], a: null };
const deep = (levels: number): Json => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as Json;

/** How often OWN was put where `found` is, and how many lines it left. */
async function putWhere(found: unknown, isTaken = true): Promise<[number, number]> {
  let puts = 0;
  const { log, lines } = keptLog();
  const put = () => {
    puts += 1;
    return Promise.resolve(isTaken);
  };
  await putBack({ what: 'enrolment', value: OWN, read: () => Promise.resolve(found), put }, log);
  return [puts, lines.filter(({ event }) => event === 'own.put-back').length];
}

test('putBack() puts what is lost or differs, however deep, and says which was somebody’s doing', async () => {
  expect(await putWhere({ a: null, b: [1, 'two'] })).toEqual([0, 0]);
  expect(await putWhere(undefined)).toEqual([1, 0]);
  expect(await putWhere({ ...OWN, c: 1 })).toEqual([1, 1]);
  expect(await putWhere('\ud800')).toEqual([1, 1]);
  expect(await putWhere(deep(200_000))).toEqual([1, 1]);
  expect(await putWhere({}, false)).toEqual([1, 0]); // the bus is away
});
