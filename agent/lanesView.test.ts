// Tests of what `GET /lanes` says, and of its text.
import { describe, expect, it } from 'vitest';
import { lanesSchema } from '#agent/api/lanes.ts';
import { lanesText } from '#agent/api/lanesText.ts';
import type { ChainId, NodeName, SpiffeId } from '#agent/base/brands.ts';
import { COUNTER_NAMES, type CounterTotals } from '#proxy/counters.ts';
import type { LaneInfo } from '#proxy/facts.ts';
import { answerLanes, MAX_LANES, type LanesSources } from './lanesView.ts';

const NOW = 1_700_000_000_000;

const lane = (change: Partial<LaneInfo>): LaneInfo => ({
  id: '0.1',
  direction: 'out',
  podUid: 'uid-web',
  from: 'spiffe://example.org/prod/shop/web',
  to: 'spiffe://example.org/prod/shop/db',
  client: '198.19.1.10:40312',
  destination: '198.19.2.10:5432',
  peer: 'node-b',
  rule: 'shop/0',
  openedAt: NOW - 65_000,
  bytesOut: 2_048,
  bytesIn: 3,
  chain: 'c'.repeat(32) as ChainId,
  aead: 'AES-256-GCM',
  keyUpdates: 12,
  ...change,
});
const inbound = lane({
  id: '1.4',
  direction: 'in',
  from: 'spiffe://example.org/prod/shop/cart',
  to: 'spiffe://example.org/prod/shop/web',
  peer: 'node-c',
});
const orphan = lane({
  id: '1.5',
  direction: 'local',
  podUid: 'uid-gone',
  peer: undefined,
  chain: undefined,
  aead: undefined,
});

const zero = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as CounterTotals;
const sources = (lanes: readonly LaneInfo[], omitted = 0): LanesSources => ({
  config: { node: 'node-a' as NodeName },
  captures: {
    pods: () => [
      {
        spec: {
          uid: 'uid-web',
          namespace: 'shop',
          name: 'web-0',
          serviceAccount: 'web',
          spiffeId: 'spiffe://example.org/prod/shop/web' as SpiffeId,
          labels: {},
          ips: ['198.19.1.10'],
          netns: { path: '/run/netns/web', id: '4:1' },
        },
        captured: true,
        error: undefined,
      },
    ],
  },
  peers: { all: () => [{ node: 'node-b' }, { node: 'node-c' }] },
  counters: () => ({ ...zero, active: 3, lanesOpenedOut: 9, 'refused.policy': 4 }),
  lanes: async (max) => {
    expect(max).toBe(MAX_LANES);
    return { lanes, omitted, silent: omitted > 0 ? 1 : 0, draining: omitted > 0 ? 2 : 0 };
  },
  clock: { wallMs: () => NOW },
});
const all = [lane({}), inbound, orphan];

describe('answerLanes()', () => {
  it('answerLanes() names pods, and keeps the uid of one that is gone', async () => {
    const answer = await answerLanes(sources(all, 7), {});
    expect(lanesSchema.strict().parse(answer)).toEqual(answer);
    expect(answer.lanes.map(({ id, pod, ageMs }) => ({ id, pod, ageMs }))).toEqual([
      { id: '0.1', pod: 'shop/web-0', ageMs: 65_000 },
      { id: '1.4', pod: 'shop/web-0', ageMs: 65_000 },
      { id: '1.5', pod: 'uid-gone', ageMs: 65_000 },
    ]);
    expect(answer).toMatchObject({
      omitted: 7,
      silentWorkers: 1,
      draining: 2,
      totals: { active: 3, openedOut: 9 },
      refused: { policy: 4 },
    });
    expect(answer.refused).toEqual({ policy: 4 });
  });

  it.each([
    [{ pod: 'shop/web-0' }, ['0.1', '1.4']],
    [{ pod: 'uid-web' }, ['0.1', '1.4']],
    [{ peer: 'node-c' }, ['1.4']],
    [{ pod: 'uid-gone' }, ['1.5']],
    [{ pod: 'shop/web-0', peer: 'node-b' }, ['0.1']],
  ])('answerLanes() filters by %j', async (query, ids) => {
    const answer = await answerLanes(sources(all), query);
    expect(answer.lanes.map(({ id }) => id)).toEqual(ids);
    expect(answer.filter).toEqual(query);
  });

  it.each([
    [{ pod: 'shop/wbe-0' }, 'shop/wbe-0 is no pod of node-a; did you mean shop/web-0?'],
    [{ peer: 'node-x' }, 'node-x is no peer of node-a'],
  ])('answerLanes() refuses a filter that can match nothing: %j', async (query, why) => {
    await expect(answerLanes(sources(all), query)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(`Cannot list lanes: ${why}`),
    });
  });

  it('answerLanes() notes a pod that has left the inventory, and lists what still lives of it', async () => {
    const answer = await answerLanes(sources(all), { pod: 'uid-gone' });
    expect(answer).toMatchObject({ lanes: [{ id: '1.5' }], note: 'uid-gone is no pod of node-a' });
  });
});

describe('answerLanes() without a data plane', () => {
  it('answerLanes() says so and still gives the totals', async () => {
    const answer = await answerLanes({ ...sources([]), lanes: async () => undefined }, {});
    expect(answer).toMatchObject({
      note: 'the data plane does not answer',
      lanes: [],
      omitted: 0,
      totals: { openedOut: 9 },
    });
  });
});

describe('lanesText()', () => {
  it.each([
    /^Lanes +3 live on node-a$/,
    /^Left out +7 more/,
    /^Unknown +1 worker did not answer/,
    /^Draining +2 of another build, whose connections are not listed/,
    /^ {2}out +shop\/web-0 +198\.19\.1\.10:40312 +prod\/shop\/db +198\.19\.2\.10:5432 +node-b +shop\/0 +65 s +2\.0 KiB +3 B +c{12} AES-256-GCM +12$/,
    /^ {2}in +prod\/shop\/cart +198\.19\.1\.10:40312 +shop\/web-0 /,
    /^ {2}local +uid-gone +\S+ +prod\/shop\/db .* - +12$/,
    /^Refused +policy 4$/,
  ])('lanesText() has a line %s', async (pattern) => {
    const text = lanesText(await answerLanes(sources(all, 7), {}));
    expect(text.split('\n')).toContainEqual(expect.stringMatching(pattern));
  });

  it('lanesText() says what was asked for when nothing is live', async () => {
    const text = lanesText(await answerLanes(sources([]), { peer: 'node-b' }));
    expect(text).toMatch(/^Lanes +0 live of peer node-b on node-a$/m);
    expect(text).not.toMatch(/undefined|^Live|^Unknown|^Draining/m);
  });
});
