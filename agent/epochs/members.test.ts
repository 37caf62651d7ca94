import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { Members } from './members.ts';
import type { RosterRow } from './roster.ts';

const row = (node: string, digit = '1'): RosterRow => ({
  node: node as NodeName,
  sid: digit.repeat(32) as Sid,
  entry: digit.repeat(64),
});
const [a, b] = [row('a'), row('b', '2')];

describe('Members', () => {
  test('its digest does not depend on the order of rows, and commits to all of each', () => {
    const { digest } = Members.of([a, b]);
    expect(Members.of([b, a]).digest).toBe(digest);
    const others = [
      { ...a, node: 'c' as NodeName },
      { ...a, sid: '3'.repeat(32) as Sid },
      { ...a, entry: '3'.repeat(64) },
    ];
    for (const other of others) expect(Members.of([other, b]).digest).not.toBe(digest);
    expect(Members.of([b]).digest).not.toBe(digest);
  });

  test('names a node once', () => {
    expect(() => Members.of([a, { ...b, node: a.node }])).toThrow('twice');
  });

  test('get() finds every row and no other', () => {
    const members = Members.of(Array.from({ length: 9 }, (_, n) => row(`n${2 * n}`)));
    for (const each of members.rows) expect(members.get(each.node)).toBe(each);
    for (const no of ['', 'n1', 'n15', 'z']) expect(members.get(no as NodeName)).toBeUndefined();
  });

  test('changed() by what since() says is the roster as it is then, whatever changed', () => {
    const rows = fc
      .uniqueArray(fc.tuple(fc.nat(40), fc.nat(9)), { selector: ([n]) => n })
      .map((all) => Members.of(all.map(([n, digit]) => row(`n${n}`, String(digit)))));
    fc.assert(
      fc.property(rows, rows, (before, after) => {
        const made = before.changed(after.since(before));
        expect(made.rows).toEqual(after.rows);
        expect(made.digest).toBe(Members.of(after.rows).digest);
      }),
    );
  });
});
