import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { identify, isAlive, killProcess, runsProgram } from './processIdentity.ts';

const NOBODY = 2 ** 22 + 1; // above PID_MAX_LIMIT of 64-bit Linux

describe('identify()', () => {
  test('names the process that has a pid, and nobody where there is none', () => {
    const own = identify(process.pid);
    expect(own?.pid).toBe(process.pid);
    expect(own && isAlive(own)).toBe(true);
    expect(identify(NOBODY)).toBeUndefined();
  });

  test('isAlive() tells a later process of the same pid apart', () => {
    expect(isAlive({ pid: process.pid, startTicks: '1' })).toBe(false);
  });
});

describe('runsProgram()', () => {
  test('compares the file, not the name', () => {
    const own = identify(process.pid);
    expect(own && runsProgram(own, process.execPath)).toBe(true);
    expect(own && runsProgram(own, '/bin/sh')).toBe(false);
    expect(runsProgram({ pid: NOBODY, startTicks: '1' }, process.execPath)).toBe(false);
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
