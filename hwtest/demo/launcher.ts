// The demo ends with who launched it: setup.js and npm tell it nothing when they are killed with
// SIGKILL, so it looks whether they still live. A shell or a service above them is none of them.
import { readFileSync } from 'node:fs';
import { isAlive, processOf, type Owner } from '#hwtest/rig/owner.ts';

const LOOK_EVERY_MS = 500;

/** Aborts `controller` once setup.js, or npm above it, is gone. The returned function stops looking. */
export function endWithLauncher(
  env: Readonly<Record<string, string | undefined>>,
  controller: AbortController,
): () => void {
  const launchers = launchersOf(env);
  const timer = setInterval(() => {
    if (launchers.every(isAlive)) return;
    clearInterval(timer);
    controller.abort();
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** setup.js names itself in TIDELOCK_PARENT_PID; npm stands at most two processes above (npm, sh). */
function launchersOf(env: Readonly<Record<string, string | undefined>>): readonly Owner[] {
  const setup = processOf(Number(env['TIDELOCK_PARENT_PID']));
  if (setup === undefined) return [];
  const above: Owner[] = [];
  for (let pid = setup.pid; above.length < 2;) {
    const parent = processOf(parentOf(pid));
    if (parent === undefined) return [setup];
    above.push(parent);
    if (/^npm\b/.test(titleOf(parent.pid))) return [setup, ...above];
    pid = parent.pid;
  }
  return [setup];
}

const parentOf = (pid: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]);

const titleOf = (pid: number): string => read(`/proc/${pid}/cmdline`).split('\0')[0] ?? '';

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // gone
  }
}
