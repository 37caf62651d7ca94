// iperf3 as a client of the soak. Since 3.16 each stream has a thread, and nobody looks whether it still runs
// (esnet/iperf#1654, #1986): where the connection of the data is reset and that of the control lives on, as when
// they belong to two workers and one of them ends, client and server go on with nothing. Then the client is ended
// here. The kernel says that its connection is gone: one that is there and carries nothing is nobody's but ours.
import { readFileSync, readlinkSync } from 'node:fs';
import type { ClientPlan, ClientRun } from './client.ts';

/** Enough to fill buffers, and to leave the others the processor. */
const RATE = '100M';
/** One of the control, one of the data. */
const CONNECTIONS = 2;
/** A second: `[  5]   0.00-1.00   sec  12.0 MBytes ...`. */
const INTERVAL = /^\[ *\d+\] .* sec +([\d.]+) [KMG]?Bytes/;
/** Of a table of proc_pid_net(5): port of the other end, and state. */
const CONNECTION = /^ *\d+: [0-9A-F]+:[0-9A-F]{4} [0-9A-F]+:([0-9A-F]{4}) ([0-9A-F]{2}) /gm;
const ESTABLISHED = '01';

/** How many connections to `port` a table of proc_pid_net(5) shows of which no end has closed its side. */
export const establishedTo = (port: number, table: string): number =>
  [...table.matchAll(CONNECTION)].filter(
    ([, remote = '', state]) => Number.parseInt(remote, 16) === port && state === ESTABLISHED,
  ).length;

/** Those of the pod that the process is in; 0 before it is in one, and after its end. */
function openTo(port: number, pid: number): number {
  try {
    if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) return 0;
    return establishedTo(port, readFileSync(`/proc/${pid}/net/tcp`, 'latin1'));
  } catch {
    return 0;
  }
}

/**
 * Every second in which bytes came is an answer; it says no times. One stream: `--bidir` knows its two by
 * the order in which the server accepts them, which is that of connect(2) without a proxy alone.
 */
export function iperf(host: string, port: number, open = openTo): ClientPlan {
  const whole = new WeakSet<ClientRun>();
  return {
    argv: [
      'iperf3',
      ...`-c ${host} -p ${port} -R -b ${RATE} -t 86400 -i 1 --forceflush`.split(' '),
    ],
    hear: (line, run) => {
      if (/\berror\b/.test(line)) run.failed(line);
      else if (Number(INTERVAL.exec(line)?.[1]) > 0) run.account.answered(NaN);
    },
    look: (run) => {
      const count = open(port, run.pid);
      if (count >= CONNECTIONS) whole.add(run);
      // Where both are gone it ends by itself, and says why.
      else if (count > 0 && whole.delete(run)) {
        run.failed('one of its two connections has ended, and it has not');
        process.kill(run.pid, 'SIGKILL');
      }
    },
  };
}
