import { describe, expect, test } from 'vitest';
import type { Clock } from '#agent/base/clock.ts';
import type { NodeName } from '#agent/base/brands.ts';
import type { Snapshot } from '#proxy/snapshot.ts';
import { Succession } from './succession.ts';

const PERIOD_MS = 1000;

const snapshot = (trusted: boolean): Snapshot => ({
  version: 1,
  self: { domain: '', cluster: '', node: 'a' as NodeName, sids: [], trusted, reason: '' },
  chains: [],
  peers: [],
  pods: [],
  remotes: [],
  policy: { version: 1, defaultAction: 'DENY', rules: [] },
  unmeshed: 'refuse',
});
const TRUSTED = snapshot(true);
const UNTRUSTED = snapshot(false);

/** A succession whose circumstances the test changes as it goes. */
function setting() {
  const now = { inherits: true, failed: false, isJudged: false, monoMs: 0 };
  const clock: Clock = { wallMs: () => 0, monoMs: () => now.monoMs, after: () => () => undefined };
  const succession = new Succession({
    inherits: () => now.inherits,
    failed: () => now.failed,
    members: () => [{ node: 'b' as NodeName, isJudged: now.isJudged }],
    clock,
    periodMs: PERIOD_MS,
  });
  return { now, succession };
}

describe('Succession.admits()', () => {
  test('holds snapshots back until this node is admitted and has judged every member', () => {
    const { now, succession } = setting();
    expect(succession.admits(UNTRUSTED)).toBe(false);
    now.isJudged = true;
    expect(succession.admits(UNTRUSTED)).toBe(false);
    now.isJudged = false;
    expect(succession.admits(TRUSTED)).toBe(false);
    now.isJudged = true;
    expect(succession.admits(TRUSTED)).toBe(true);
  });

  test('lets everything pass from then on: an untrusted snapshot cuts the lanes', () => {
    const { now, succession } = setting();
    now.isJudged = true;
    succession.admits(TRUSTED);
    now.isJudged = false;
    expect(succession.admits(UNTRUSTED)).toBe(true);
  });

  test('withholds nothing for longer than twelve periods: a peer may have been revoked', () => {
    const { now, succession } = setting();
    expect(succession.admits(UNTRUSTED)).toBe(false);
    now.monoMs = 12 * PERIOD_MS;
    expect(succession.admits(UNTRUSTED)).toBe(false);
    now.monoMs = 12 * PERIOD_MS + 1;
    expect(succession.admits(UNTRUSTED)).toBe(true);
  });

  test('waits three periods for members that cannot be judged', () => {
    const { now, succession } = setting();
    now.monoMs = 10 * PERIOD_MS;
    expect(succession.admits(TRUSTED)).toBe(false);
    now.monoMs = 13 * PERIOD_MS;
    expect(succession.admits(TRUSTED)).toBe(false);
    now.monoMs += 1;
    expect(succession.admits(TRUSTED)).toBe(true);
  });

  test('holds nothing back when this node failed its own attestation', () => {
    const { now, succession } = setting();
    now.failed = true;
    expect(succession.admits(UNTRUSTED)).toBe(true);
  });

  test('holds nothing back from a data plane of its own', () => {
    const { now, succession } = setting();
    now.inherits = false;
    expect(succession.admits(UNTRUSTED)).toBe(true);
  });
});
