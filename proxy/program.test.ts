import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { programDigest } from './program.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidelock-program-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};

describe('programDigest()', () => {
  test.each([
    'proxy/main.ts',
    'proxy/see/frame.ts',
    'agent/base/bytes.ts',
    'package-lock.json',
    'dataPlane.mjs',
    'koffi.node',
  ])('programDigest() depends on content and name of %s', (path) => {
    write('proxy/other.ts', '');
    const none = programDigest(folder);
    write(path, 'a');
    const first = programDigest(folder);
    write(path, 'b');
    const changed = programDigest(folder);
    renameSync(join(folder, path), join(folder, dirname(path), 'moved.ts'));
    const moved = programDigest(folder);
    expect(new Set([none, first, changed, moved]).size).toBe(4);
    expect(programDigest(folder)).toBe(moved);
  });

  test('programDigest() tells where one file ends and the next begins', () => {
    write('a.ts', 'xb.ts');
    write('b.ts', 'y');
    const first = programDigest(folder);
    write('a.ts', 'x');
    write('b.ts', 'b.tsy');
    expect(programDigest(folder)).not.toBe(first);
  });

  test('programDigest() leaves out what no data plane loads', () => {
    const none = programDigest(folder);
    write('agent/app.ts', '');
    write('README.md', '');
    expect(programDigest(folder)).toBe(none);
  });
});
