// Ports of connections that have ended, inside a pod's network namespace. Each delivery into a pod takes
// a port of the pod's own address and leaves it in TIME_WAIT for a minute (RFC 9293 3.6.1): without reuse
// some 470 connections a second to one port use all of them up.
import { readFileSync, writeFileSync } from 'node:fs';

/** Per network namespace: that of the thread which opens it (tcp(7), ip-sysctl). */
const FILE = '/proc/sys/net/ipv4/tcp_tw_reuse';
/** Outgoing connections may take a port over once its timestamps say that nothing old can arrive. */
const REUSE = '1';
/** What every network namespace starts with: reuse on loopback alone (ip-sysctl). */
const INITIAL = '2';

/**
 * Lets ports be reused in the network namespace the thread is in, and says how it was before; undefined
 * when the host does not let it be changed (a read-only /proc/sys).
 */
export function reusePorts(): string | undefined {
  try {
    const before = readFileSync(FILE, 'latin1').trim();
    if (before !== REUSE) writeFileSync(FILE, REUSE);
    return before;
  } catch {
    return undefined; // deliveries work, only not as many
  }
}

/** Puts back what reusePorts() found, unless somebody has changed it since. */
export function restorePorts(before: string | undefined): void {
  if (before === undefined || before === REUSE) return;
  try {
    if (readFileSync(FILE, 'latin1').trim() === REUSE) writeFileSync(FILE, before);
  } catch {
    // the namespace goes with its pod, and the setting with it
  }
}

/** Whether ports are reused in the network namespace the thread is in. */
export const portsAreReused = (): boolean => readFileSync(FILE, 'latin1').trim() === REUSE;

/** Puts the initial setting back, where nobody knows any more what reusePorts() found. */
export const resetPorts = (): void => writeFileSync(FILE, INITIAL);
