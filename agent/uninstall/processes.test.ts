import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { identify } from '#proxy/processIdentity.ts';
import { endProcess } from './processes.ts';

test('endProcess() ends the process of the inventory and no later one of its pid', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const identity = identify(child.pid ?? 0);
  if (identity === undefined) throw new RangeError('it does not run');
  await endProcess({ ...identity, startTicks: '1' });
  expect(identify(identity.pid)).toEqual(identity);
  const exit = once(child, 'exit');
  await endProcess(identity);
  expect(await exit).toEqual([null, 'SIGTERM']);
});
