// Tests of what is remembered of connections.
import { describe, expect, it } from 'vitest';
import type { LaneEvent } from '#proxy/facts.ts';
import { ConnectionMemory, isAbout } from './memory.ts';

const POD = { direction: 'out', podUid: 'web', destination: '198.19.2.10:80' } as const;
const refused = (at: number, change: object = {}): LaneEvent => ({
  ...POD,
  kind: 'refused',
  at,
  reason: 'policy',
  detail: 'default',
  ...change,
});
const closed = (at: number): LaneEvent => ({
  ...POD,
  kind: 'closed',
  at,
  id: '0.1',
  rule: 'shop/0',
  bytesOut: 1,
  bytesIn: 1,
  keyUpdates: 0,
  reason: 'clean',
  durationMs: 5,
});

describe('ConnectionMemory', () => {
  it('recall() gives the newest refusal with its count, and the last end', () => {
    const memory = new ConnectionMemory();
    for (const at of [1, 2, 3]) memory.note(refused(at));
    memory.note(closed(4));
    expect(memory.recall({ podUid: 'web', ips: ['198.19.2.10'], port: 80 })).toEqual({
      refused: { ...POD, at: 3, reason: 'policy', detail: 'default', count: 3 },
      closedAt: 4,
    });
  });

  it('recall() takes the newest of several pairs, and nothing of others', () => {
    const memory = new ConnectionMemory();
    memory.note(refused(9, { destination: '198.19.2.11:80', reason: 'no-agent' }));
    memory.note(refused(5));
    memory.note(refused(20, { podUid: 'other' }));
    memory.note(refused(21, { direction: 'in' }));
    expect(memory.recall({ podUid: 'web' }).refused).toMatchObject({ at: 9, reason: 'no-agent' });
    expect(memory.recall({ podUid: 'nobody' })).toEqual({});
  });

  it('note() keeps the pairs heard last, however many there are', () => {
    const memory = new ConnectionMemory();
    memory.note(refused(1));
    for (let i = 0; i < 1_023; i += 1) memory.note(refused(2, { podUid: `p${i}` }));
    memory.note(refused(3));
    memory.note(refused(4, { podUid: 'one more' }));
    expect(memory.recall({ podUid: 'web' }).refused).toMatchObject({ at: 3, count: 2 });
    expect(memory.recall({ podUid: 'p0' })).toEqual({});
    expect(memory.recall({ podUid: 'p1' }).refused).toBeDefined();
  });
});

describe('isAbout()', () => {
  it.each([
    [{ podUid: 'web' }, true],
    [{ podUid: 'web', ips: ['198.19.2.10'] }, true],
    [{ podUid: 'web', ips: ['198.19.2.1'] }, false],
    [{ podUid: 'web', ips: ['198.19.2.10'], port: 81 }, false],
    [{ podUid: 'db' }, false],
  ])('isAbout() %j', (question, is) => {
    expect(isAbout(question, POD)).toBe(is);
  });

  it('isAbout() reads IPv6 destinations', () => {
    const facts = { ...POD, destination: 'fd00::1:80' };
    expect(isAbout({ podUid: 'web', ips: ['fd00::1'], port: 80 }, facts)).toBe(true);
    expect(isAbout({ podUid: 'web', ips: ['fd00::1:80'] }, facts)).toBe(false);
  });
});
