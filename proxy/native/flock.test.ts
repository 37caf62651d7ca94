import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockHolder, lockPath } from './flock.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidelock-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('lockPath()', () => {
  test('lockPath() gives the lock to one at a time, and lockHolder() names the one', () => {
    expect(lockHolder(folder)).toBeUndefined();
    const first = lockPath(folder);
    if (first === undefined) throw new RangeError('not locked');
    expect(lockPath(folder)).toBeUndefined();
    expect(lockHolder(folder)).toBe(process.pid);
    closeSync(first);
    const second = lockPath(folder);
    expect(second).toBeDefined();
    if (second !== undefined) closeSync(second);
  });

  test('lockPath() throws what open(2) says of a path that is not there', () => {
    expect(() => lockPath(join(folder, 'none'))).toThrow(/ENOENT/);
  });
});
