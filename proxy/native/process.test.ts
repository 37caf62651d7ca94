import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { raiseDescriptorLimit } from './process.ts';

test('raiseDescriptorLimit() raises the soft limit to the hard one, and says how many that is', () => {
  const limits = (): readonly string[] =>
    /^Max open files +(\d+) +(\d+) /m.exec(readFileSync('/proc/self/limits', 'utf8'))?.slice(1) ??
    [];
  const [, hard = ''] = limits();
  execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=600:']);
  expect(limits()).toEqual(['600', hard]);
  expect(raiseDescriptorLimit()).toBe(Number(hard));
  expect(limits()).toEqual([hard, hard]);
});
