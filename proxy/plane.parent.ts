// A control plane for takeOver.hw.test.ts, made to be killed: starts a data plane of probe workers with
// a listener and a snapshot, says on standard output what there is, and stays.
import { createServer, type AddressInfo } from 'node:net';
import { systemClock } from '#agent/base/clock.ts';
import { Counters } from './counters.ts';
import { dupFd } from '#proxy/native/fd.ts';
import { tcpListener } from '#proxy/native/socket.ts';
import { startDataPlane } from './plane.ts';
import { PlaneRecord } from './planeRecord.ts';
import { ReplaySet } from './replay.ts';
import type { PlaneSettings } from './control.ts';

/** What its first argument is, as JSON. */
export interface ParentTask {
  readonly runDir: string;
  readonly settings: PlaneSettings;
  readonly probe: string;
  readonly staleAfterMs: number;
  readonly podUid: string;
}

/** Its one line of output, as JSON, when the data plane runs. */
export interface ParentSays {
  /** Pid of the data plane. */
  readonly pid: number;
  /** Port of the listener, on 127.0.0.1. */
  readonly port: number;
}

if (import.meta.main) {
  const task = JSON.parse(process.argv[2] ?? '') as ParentTask;
  const record = await PlaneRecord.open(task.runDir, { clock: systemClock, log: () => undefined });
  const plane = startDataPlane({
    nodePath: process.execPath,
    mainPath: task.probe,
    settings: task.settings,
    record,
    staleAfterMs: task.staleAfterMs,
    replay: ReplaySet.create({ periodMs: 10_000, openingsPerPeriod: 100, sources: 4 }),
    counters: Counters.create(),
    makeSockets: () => [],
    onEvent: () => undefined,
    onWhereIs: () => Promise.resolve(false),
    onUsing: () => undefined,
    log: () => undefined,
    clock: systemClock,
    random: () => 0,
  });
  const fd = tcpListener('127.0.0.1', 0);
  const named = createServer().listen({ fd: dupFd(fd) });
  const { port } = named.address() as AddressInfo;
  named.close();
  plane.listen({ kind: 'pod', podUid: task.podUid, family: 4 }, fd);
  const tell = (): void => {
    const { state, pid } = plane.status();
    if (state !== 'running') {
      setTimeout(tell, 10);
      return;
    }
    const says: ParentSays = { pid, port };
    process.stdout.write(`${JSON.stringify(says)}\n`);
  };
  tell();
  setInterval(() => undefined, 60_000);
}
