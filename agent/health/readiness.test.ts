// Readiness is every check at once, each with its reason, and no name in any of them.
import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { CanaryState } from './canary.ts';
import { CANARY_FRESH_MS, readinessOf, readinessSeen, type ReadinessFacts } from './readiness.ts';
import { statusFixture } from './status.fixture.ts';

const B = 'secret-peer' as NodeName;
const passed: CanaryState = {
  passed: 1,
  failed: 0,
  last: { atMs: 0, monoMs: 1000, peer: { node: B, tookMs: 5 } },
  silent: new Map(),
  problem: '',
};
const byWorkers: CanaryState = { ...passed, last: { atMs: 0, monoMs: 1000 } };
const unanswered: CanaryState = { ...passed, silent: new Map([[B, 'cut']]) };
const well: ReadinessFacts = {
  status: statusFixture(),
  isAdmitted: true,
  canary: passed,
  nowMonoMs: 1000,
};
const status = statusFixture();
const withStatus = (change: Partial<typeof status>): ReadinessFacts => ({
  ...well,
  status: { ...status, ...change },
});
const [pod] = status.pods;
if (!pod) throw new Error('the fixture has a pod');

describe('readinessOf()', () => {
  it('readinessOf() is ready when everything holds', () => {
    const { ready, checks } = readinessOf(well);
    expect(ready).toBe(true);
    expect(checks.every(({ reason }) => reason !== '')).toBe(true);
  });

  it.each<[what: string, check: string, facts: ReadinessFacts]>([
    [
      'the verdict is against the node',
      'node',
      withStatus({ node: { ...status.node, verdict: 'contraindicated' } }),
    ],
    ['it was never attested', 'node', withStatus({ node: { ...status.node, verdict: 'none' } })],
    ['it is not admitted', 'node', { ...well, isAdmitted: false }],
    ['there is no chain', 'epochs', withStatus({ epochs: { ...status.epochs, chains: [] } })],
    [
      'no chain is in effect yet',
      'epochs',
      withStatus({ epochs: { ...status.epochs, slot: 168 } }),
    ],
    [
      'no data plane runs',
      'data-plane',
      withStatus({ dataPlane: { ...status.dataPlane, state: 'waiting' } }),
    ],
    ['a pod is not captured', 'pods', withStatus({ pods: [pod, { ...pod, captured: false }] })],
    ['no canary ever came back', 'canary', { ...well, canary: { ...passed, last: undefined } }],
    ['the last one is too long ago', 'canary', { ...well, nowMonoMs: 1001 + CANARY_FRESH_MS }],
    ['there is a peer and none came back from it', 'canary', { ...well, canary: byWorkers }],
    [
      'there is no peer and no canary was sent yet',
      'canary',
      { ...withStatus({ peers: [] }), canary: { ...passed, last: undefined } },
    ],
    [
      'there is no peer and the workers do not answer',
      'canary',
      {
        ...withStatus({ peers: [] }),
        canary: { ...passed, last: undefined, problem: 'no data plane runs' },
      },
    ],
  ])('readinessOf() is not ready when %s, and says which check', (_what, name, facts) => {
    const { ready, checks } = readinessOf(facts);
    expect(ready).toBe(false);
    expect(checks.filter(({ ok }) => !ok).map((check) => check.name)).toEqual([name]);
    expect(JSON.stringify(checks)).not.toContain('secret');
  });

  it('readinessOf() takes a warning for ready, and the workers for a canary without a peer', () => {
    expect(readinessOf(withStatus({ node: { ...status.node, verdict: 'warning' } })).ready).toBe(
      true,
    );
    const alone = { ...withStatus({ peers: [] }), canary: byWorkers };
    expect(readinessOf(alone).ready).toBe(true);
    expect(readinessOf({ ...alone, nowMonoMs: 1001 + CANARY_FRESH_MS }).ready).toBe(false);
  });

  it('readinessOf() tells a node whose lanes fail from one that has mute peers', () => {
    const reason = (facts: ReadinessFacts) => readinessOf(facts).checks.at(-1);
    expect(reason({ ...well, canary: unanswered, nowMonoMs: 4000 })).toEqual({
      name: 'canary',
      ok: true,
      reason:
        'lanes work: one last came back from a peer 3 s ago; 1 of 1 peers did not answer theirs',
    });
    expect(reason({ ...well, canary: unanswered, nowMonoMs: 41_000 })).toEqual({
      name: 'canary',
      ok: false,
      reason:
        'lanes fail: none came back from any peer for 40 s; 1 of 1 peers did not answer theirs',
    });
  });
});

describe('readinessSeen()', () => {
  it('readinessSeen() names what does not hold, the last peer that answered and those that do not', () => {
    const late = readinessOf({ ...well, canary: unanswered, nowMonoMs: 41_000 });
    expect(readinessSeen(late, unanswered, 41_000)).toEqual({
      ready: false,
      reasons: [expect.stringMatching(/^canary: lanes fail/)],
      canary: {
        ageMs: 40_000,
        peer: 'secret-peer',
        tookMs: 5,
        silent: [{ peer: 'secret-peer', reason: 'cut' }],
      },
    });
    expect(readinessSeen(readinessOf(well), passed, 1000)).toMatchObject({
      ready: true,
      reasons: [],
    });
  });
});
