import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, realpathSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { fileId, identify, isAlive, killProcess, programOf } from './processIdentity.ts';

const NOBODY = 2 ** 22 + 1; // above PID_MAX_LIMIT of 64-bit Linux

/** exit(2) ends one thread; its number differs by processor. */
const ENDS_FIRST_THREAD = `
  const { Worker } = require('node:worker_threads');
  const exit = require('koffi').load(null).func('long syscall(long number, long code)');
  new Worker('setInterval(() => undefined, 1000)', { eval: true })
    .once('online', () => exit(process.arch === 'arm64' ? 93 : 60, 0));`;

/** proc_pid_stat(5); the name of the process has no parenthesis. */
const stateOf = (pid: number): string | undefined =>
  readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0];

describe('identify()', () => {
  test('names the process that has a pid, and nobody where there is none', () => {
    const own = identify(process.pid);
    expect(own?.pid).toBe(process.pid);
    expect(own && isAlive(own)).toBe(true);
    expect(identify(NOBODY)).toBeUndefined();
  });

  test('identify() sees a process of which the first thread ended and others go on', async () => {
    const child = spawn(process.execPath, ['-e', ENDS_FIRST_THREAD], { stdio: 'ignore' });
    const pid = child.pid ?? 0;
    await vi.waitFor(() => expect(stateOf(pid)).toBe('Z'), { timeout: 10_000 });
    const identity = identify(pid);
    if (identity === undefined) throw new RangeError('not seen');
    killProcess(identity);
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(isAlive(identity)).toBe(false);
  });

  test('isAlive() tells a later process of the same pid apart', () => {
    expect(isAlive({ pid: process.pid, startTicks: '1' })).toBe(false);
  });
});

describe('programOf()', () => {
  test('programOf() names the file that runs, not its path', () => {
    expect(programOf(process.pid)).toBe(fileId(process.execPath));
    expect(fileId('/bin/sh')).toBe(fileId(realpathSync('/bin/sh')));
    expect(fileId('/bin/sh')).not.toBe(fileId(process.execPath));
    expect(programOf(NOBODY)).toBeUndefined();
    expect(fileId('/nonexistent')).toBeUndefined();
  });
});

describe('killProcess()', () => {
  test('ends that process and never another one of its pid', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const identity = identify(child.pid ?? 0);
    killProcess({ pid: child.pid ?? 0, startTicks: '1' });
    expect(identity && isAlive(identity)).toBe(true);
    if (identity) killProcess(identity);
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    if (identity) killProcess(identity); // nobody: nothing happens
  });
});
