// What an uninstall asks before it removes anything: that no agent works on what it would take away.
// It ends nothing itself; `--stop` has the processes of the inventory ended, in its order.
import { isServed } from '#agent/api/control.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Trace } from './trace.ts';

export interface Stopped {
  /** The inventory; its processes are those of our own network namespace. */
  readonly traces: readonly Trace[];
  readonly controlSocket: string;
  /** The processes of the inventory are ended first. */
  readonly stop: boolean;
}

/**
 * Errors: AGENT_RUNNING, for an agent here, and for one in another network namespace or container,
 * which only its control socket gives away.
 */
export async function requireStopped({ traces, controlSocket, stop }: Stopped): Promise<void> {
  const here = traces.filter(({ kind, presence }) => kind === 'process' && presence === 'there');
  if (here.length > 0) {
    if (stop) return;
    throw running(
      `runs on this node (${here.map(({ where }) => where).join(', ')})`,
      'Stop its service first (systemctl stop, or delete the DaemonSet), or give --stop to end it here.',
    );
  }
  if (!(await isServed(controlSocket))) return;
  throw running(
    `answers on ${controlSocket}, and runs in no process of this network namespace`,
    'Run this in the network namespace of the agent (nsenter, or hostNetwork in Kubernetes), or stop the agent first.',
  );
}

const running = (how: string, hint: string): TidelockError =>
  new TidelockError('AGENT_RUNNING', {
    op: 'uninstall.stop',
    message: `Cannot uninstall: an agent or its data plane ${how}`,
    hint,
  });
