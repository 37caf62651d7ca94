import { describe, expect, test } from 'vitest';
import { CONTROL_VERSION, roleKey, understands } from './control.ts';

describe('roleKey()', () => {
  test('roleKey() tells every role apart', () => {
    const keys = [
      roleKey({ kind: 'lane' }),
      roleKey({ kind: 'pod', podUid: 'a', family: 4 }),
      roleKey({ kind: 'pod', podUid: 'a', family: 6 }),
      roleKey({ kind: 'pod', podUid: 'b', family: 4 }),
    ];
    expect(new Set(keys).size).toBe(4);
  });
});

test('understands() the version before and after its own, and no other', () => {
  const versions = [-2, -1, 0, 1, 2].map((step) => understands(CONTROL_VERSION + step));
  expect(versions).toEqual([false, true, true, true, false]);
});
