import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { areRunning, cpuSecondsOf, residentBytesOf, treeOf } from './processes.ts';

it('treeOf() and areRunning() know children of children, and what has ended', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 & echo $!; wait'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [said] = (await once(shell.stdout, 'data')) as [Buffer];
  const sleeper = Number(said.toString());
  expect(treeOf([process.pid])).toEqual(expect.arrayContaining([shell.pid, sleeper]));
  expect(treeOf([sleeper])).toEqual([sleeper]);
  expect(areRunning([shell.pid ?? 0, sleeper])).toBe(true);
  const ended = once(shell, 'exit');
  process.kill(sleeper);
  await ended;
  expect(treeOf([process.pid])).not.toContain(sleeper);
  expect(areRunning([process.pid, sleeper])).toBe(false);
});

it('cpuSecondsOf() is what the kernel says of this process, to a tick', () => {
  const { user, system } = process.cpuUsage();
  expect(Math.abs(cpuSecondsOf([process.pid]) - (user + system) / 1e6)).toBeLessThan(0.2);
});

it('residentBytesOf() is about what the runtime says of itself', () => {
  const rss = process.memoryUsage.rss();
  expect(residentBytesOf([process.pid]) / rss).toBeGreaterThan(0.8);
  expect(residentBytesOf([process.pid]) / rss).toBeLessThan(1.25);
});
