import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import { Acquaintance, type AcquaintanceOptions } from './acquaintance.ts';

const node = 'b' as NodeName;
const accepted = ['a statement'];
const directory = 'a directory';

/** An acquaintance with one member, whose circumstances the test changes as it goes. */
function setting() {
  const now = {
    isJudged: false,
    peer: undefined as ReturnType<AcquaintanceOptions['peer']>,
    monoMs: 0,
  };
  const clock: Clock = { wallMs: () => 0, monoMs: () => now.monoMs, after: () => () => undefined };
  const acquaintance = new Acquaintance({
    members: () => [{ node, isJudged: now.isJudged }],
    peer: () => now.peer,
    clock,
    periodMs: 1000,
  });
  return { now, acquaintance };
}

describe('Acquaintance.isMade()', () => {
  it('waits for the pods of every member that is accepted, and stays made', () => {
    const { now, acquaintance } = setting();
    expect(acquaintance.isMade(true)).toBe(false);
    now.isJudged = true;
    now.peer = { accepted, directory: undefined };
    expect(acquaintance.isMade(true)).toBe(false);
    now.peer = { accepted, directory };
    expect(acquaintance.isMade(false)).toBe(false);
    expect(acquaintance.isMade(true)).toBe(true);
    now.isJudged = false;
    expect(acquaintance.isMade(false)).toBe(true);
  });

  it('waits for nothing of a member that is not accepted', () => {
    const { now, acquaintance } = setting();
    now.isJudged = true;
    now.peer = { accepted: [], directory: undefined };
    expect(acquaintance.isMade(true)).toBe(true);
  });

  it('loses patience three periods after this node was admitted', () => {
    const { now, acquaintance } = setting();
    now.monoMs = 100_000;
    expect(acquaintance.isMade(false)).toBe(false);
    expect(acquaintance.isMade(true)).toBe(false);
    now.monoMs += 3000;
    expect(acquaintance.isMade(true)).toBe(false);
    now.monoMs += 1;
    expect(acquaintance.isMade(true)).toBe(true);
  });
});
