import { expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { readHost } from './host.ts';

test('readHost() says what the kernel says', async () => {
  const host = await readHost(new AbortController().signal);
  const total = Number(/^MemTotal:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]);
  expect(host?.memoryBytes).toBe(total * 1024);
  expect(host?.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim());
});

test('readHost() ends with its signal', async () => {
  const ending = new AbortController();
  const host = readHost(ending.signal);
  ending.abort();
  await expect(host).resolves.toBeUndefined();
});
