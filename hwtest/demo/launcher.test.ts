import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { endWithLauncher } from './launcher.ts';

test('endWithLauncher() aborts when the launcher is killed', async () => {
  const launcher = spawn('sleep', ['60']);
  await once(launcher, 'spawn');
  const controller = new AbortController();
  const stop = endWithLauncher({ TIDELOCK_PARENT_PID: String(launcher.pid) }, controller);
  try {
    expect(controller.signal.aborted).toBe(false);
    launcher.kill('SIGKILL');
    await once(controller.signal, 'abort');
    expect(controller.signal.aborted).toBe(true);
  } finally {
    launcher.kill('SIGKILL');
    stop();
  }
});
