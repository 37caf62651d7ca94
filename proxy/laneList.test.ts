// Pages of several workers made one bounded list, whatever the pages say.
import { describe, expect, test } from 'vitest';
import type { LanePage } from './control.ts';
import type { LaneInfo } from './facts.ts';
import { listLanes } from './laneList.ts';

const lane = (worker: number, number: number): LaneInfo => ({
  id: `${worker}.${number}`,
  direction: 'out',
  rule: 'r',
  bytesOut: 0,
  bytesIn: 0,
  keyUpdates: 0,
  openedAt: 100 - number,
});

/** Workers that have as many connections, told two a page. */
const having =
  (...counts: number[]) =>
  async (worker: number, after: number): Promise<LanePage> => {
    const live = counts[worker] ?? 0;
    const numbers = [after + 1, after + 2].filter((number) => number <= live);
    const next = after + 2 < live ? { next: after + 2 } : {};
    return { type: 'lanes', id: 0, lanes: numbers.map((n) => lane(worker, n)), live, ...next };
  };

describe('listLanes()', () => {
  test('listLanes() has every connection of every worker, oldest first', async () => {
    const { lanes, omitted, silent } = await listLanes(having(5, 0, 3), 3, 1000);
    expect({ omitted, silent }).toEqual({ omitted: 0, silent: 0 });
    expect(lanes.map(({ openedAt }) => openedAt)).toEqual([95, 96, 97, 97, 98, 98, 99, 99]);
  });

  test('listLanes() leaves out what is over its limit, and says how many', async () => {
    const { lanes, omitted } = await listLanes(having(50, 7), 2, 10);
    expect(lanes).toHaveLength(10);
    expect(omitted).toBe(47);
    expect((await listLanes(having(4), 1, 0)).omitted).toBe(4);
  });

  test('listLanes() says how many workers did not answer', async () => {
    const page = having(2, 2);
    const answer = await listLanes(
      async (worker, after) => (worker === 1 ? undefined : page(worker, after)),
      2,
      10,
    );
    expect(answer).toMatchObject({ silent: 1, omitted: 0, lanes: [{}, {}] });
  });

  test('listLanes() ends with pages that have no end of their own', async () => {
    let asked = 0;
    const endless = async (_worker: number, after: number): Promise<LanePage> => {
      asked += 1;
      return { type: 'lanes', id: 0, lanes: [], live: 1, next: after + 1 };
    };
    await listLanes(endless, 1, 1000);
    expect(asked).toBe(1);
    const back = async (): Promise<LanePage> => {
      asked += 1;
      return { type: 'lanes', id: 0, lanes: [lane(0, 1)], live: 1, next: 0 };
    };
    await listLanes(back, 1, 1000);
    expect(asked).toBe(2);
  });
});
