// Tests of reading the event log.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readEventLog } from './eventLog.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-eventlog-'));
});
afterAll(() => rm(dir, { recursive: true }));

describe('readEventLog()', () => {
  it('readEventLog() returns every byte of a log longer than one read', async () => {
    const bytes = Buffer.alloc(200_001, 'tidelock');
    await writeFile(join(dir, 'log'), bytes);
    expect((await readEventLog(join(dir, 'log'))).equals(bytes)).toBe(true);
  });

  it.each([
    ['a missing file', (d: string) => join(d, 'none')],
    ['a directory', (d: string) => d],
    ['an endless file', () => '/dev/zero'],
  ])('readEventLog() ends in one error for %s', async (_what, path) => {
    await expect(readEventLog(path(dir))).rejects.toMatchObject({
      code: 'EVENTLOG_UNREADABLE',
      exitCode: 6,
    });
  });
});
