// Readiness is every check at once, each with its reason, and no name in any of them.
import { describe, expect, it } from 'vitest';
import type { CanaryState } from './canary.ts';
import { CANARY_FRESH_MS, readinessOf, type ReadinessFacts } from './readiness.ts';
import { statusFixture } from './status.fixture.ts';

const passed: CanaryState = {
  passed: 1,
  failed: 0,
  passedAtMs: 0,
  passedMonoMs: 1000,
  path: 'peer',
  tookMs: 5,
  problem: '',
};
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
    [
      'no canary ever came back',
      'canary',
      { ...well, canary: { ...passed, passedMonoMs: undefined, path: undefined } },
    ],
    ['the last one is too long ago', 'canary', { ...well, nowMonoMs: 1001 + CANARY_FRESH_MS }],
    [
      'there is a peer and none came back from it',
      'canary',
      { ...well, canary: { ...passed, path: 'workers' } },
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
    const alone = { ...withStatus({ peers: [] }), canary: { ...passed, path: 'workers' as const } };
    expect(readinessOf(alone).ready).toBe(true);
    expect(readinessOf({ ...alone, nowMonoMs: 1001 + CANARY_FRESH_MS }).ready).toBe(false);
  });
});
