// A data plane of which the control plane was killed, and what comes to its door.
import { chmodSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { sleep, systemClock } from '#agent/base/clock.ts';
import { run } from '#agent/base/run.ts';
import { PLANE_FDS } from './control.ts';
import { openDoor } from './door.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { sendFds } from '#proxy/native/fdpass.ts';
import { socketPair, tcpListener } from '#proxy/native/socket.ts';
import { bindUnix, connectUnix } from '#proxy/native/unix.ts';
import { CRASH_POD } from './plane.probe.ts';
import {
  UID,
  WAIT,
  POD,
  undo,
  type LogLine,
  newRunDir,
  openRecord,
  isThere,
  parent,
  find,
  found,
  goOn,
  running,
  ask,
  claim,
} from './takeOver.fixture.ts';

/** Descriptors of a process by what they are, sockets and pipes without their numbers. */
const descriptorsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .flatMap((fd) => targetOf(`/proc/${pid}/fd/${fd}`) ?? [])
    .map((target) => target.replace(/\[\d+\]/, ''))
    .toSorted();

/** Undefined where the descriptor has been closed meanwhile. */
function targetOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Its descriptors once they have stood still: connections that have ended are let go a moment later. */
async function settledDescriptors(pid: number): Promise<string[]> {
  for (let last = descriptorsOf(pid), still = 0; ;) {
    await sleep(systemClock, 50);
    const now = descriptorsOf(pid);
    still = now.join() === last.join() ? still + 1 : 0;
    if (still === 10) return now;
    last = now;
  }
}

describe('findPredecessor()', () => {
  test('finds nobody where none is recorded, whoever stands behind the door', async () => {
    const record = await openRecord(newRunDir());
    expect(await find(record)).toBeUndefined();
    const server = openDoor(bindUnix(record.door), {
      legacy: () => ({ replay: 0, counters: 0, listeners: [] }),
      entered: () => undefined,
    });
    undo.push(() => server.close());
    expect(await find(record)).toBeUndefined();
  });

  test('cannot be asked while the data plane has a control plane', async () => {
    const { runDir, pid } = await parent();
    await expect(openRecord(runDir)).rejects.toMatchObject({
      code: 'AGENT_RUNNING',
      message: expect.stringMatching(/process \d+ holds it/) as string,
    });
    expect(isThere(pid)).toBe(true);
  });

  test('gets the running process, its memory and its listeners once the control plane is dead', async () => {
    const { runDir, pid, port, kill } = await parent();
    const replaySet = statSync(`/proc/${pid}/fd/${PLANE_FDS.replay}`).ino;
    await kill();
    expect((await ask(port)).uid).toBe(UID);
    const got = await found(runDir);
    const { predecessor } = got;
    expect(predecessor.identity.pid).toBe(pid);
    expect(statSync(`/proc/self/fd/${predecessor.memory?.replay.fd}`).ino).toBe(replaySet);
    expect(claim(predecessor, port + 1)).toBeUndefined();
    const plane = goOn(got);
    const listener = claim(predecessor, port);
    if (listener === undefined) throw new RangeError('no listener');
    undo.push(() => closeFd(listener));
    await running(plane);
    expect(plane.status()).toMatchObject({ pid, restarts: 0 });
    plane.listen({ kind: 'pod', podUid: POD, family: 4 }, listener);
    plane.listenersNamed();
    expect((await ask(port)).uid).toBe(UID);
  });

  test('ends one that does not open in time, and its ports are free', async () => {
    const { runDir, pid, port, kill } = await parent();
    process.kill(pid, 'SIGSTOP');
    await kill();
    const log: LogLine[] = [];
    const record = await openRecord(runDir);
    expect(await find(record, log)).toBeUndefined();
    expect(record.planes()).toEqual([]);
    expect(log).toEqual([{ event: 'plane.unfit', fields: { pid, why: 'it does not answer' } }]);
    closeFd(tcpListener('127.0.0.1', port));
  });
});

describe('a data plane that was taken over', () => {
  test('stops serving what the new control plane does not name', async () => {
    const { runDir, port, kill } = await parent();
    await kill();
    const got = await found(runDir);
    const plane = goOn(got);
    await running(plane);
    got.predecessor.listeners.close();
    plane.listenersNamed();
    await vi.waitFor(async () => expect(ask(port)).rejects.toThrow(/ECONNREFUSED/), WAIT);
  });

  test('tells its last words to the new control plane', async () => {
    const { runDir, port, kill } = await parent({ podUid: CRASH_POD });
    await kill();
    const log: LogLine[] = [];
    const plane = goOn(await found(runDir), log);
    await running(plane);
    for (let left = 3; left > 0; left -= 1) await expect(ask(port)).rejects.toThrow(); // workers, spare
    const words = await vi.waitFor(() => {
      const line = log.find(({ event }) => event === 'plane.lastWords');
      if (line === undefined) throw new RangeError('none yet');
      return line.fields['words'];
    }, WAIT);
    expect(words).toMatch(/DATA_PLANE_FAILED: .*told to crash/);
  });

  test('is replaced at once when it is killed', async () => {
    const { runDir, pid, kill } = await parent();
    await kill();
    const plane = goOn(await found(runDir));
    await running(plane);
    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(plane.status()).toMatchObject({ restarts: 1 }), WAIT);
    await running(plane);
    expect(plane.status().pid).not.toBe(pid);
  });

  test('holds the same descriptors however often it was taken over', async () => {
    const { runDir, pid, port, kill } = await parent();
    await kill();
    await Promise.all(Array.from({ length: 8 }, () => ask(port))); // every worker listens by now
    const before = await settledDescriptors(pid);
    for (let times = 0; times < 3; times += 1) {
      const { predecessor, record } = await found(runDir);
      const { ends, memory, listeners } = predecessor;
      listeners.close();
      // This control plane ends without a word, as one that is killed.
      for (const fd of [...Object.values(ends), memory?.replay.fd, memory?.counters?.fd]) {
        if (fd !== undefined) closeFd(fd);
      }
      record.close();
      await vi.waitFor(() => expect(descriptorsOf(pid)).toEqual(before), WAIT);
    }
  });
});

describe('a data plane without a control plane', () => {
  test('ends by itself when no snapshot comes in time', async () => {
    const { pid, kill } = await parent({ staleAfterMs: 1500 });
    await kill();
    expect(isThere(pid)).toBe(true);
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), WAIT);
  });

  test('ends when it is told to, which one that has a control plane does not', async () => {
    const { pid, port, kill } = await parent();
    process.kill(pid, 'SIGTERM');
    expect((await ask(port)).uid).toBe(UID);
    await kill();
    await vi.waitFor(() => {
      if (isThere(pid)) process.kill(pid, 'SIGTERM');
      expect(isThere(pid)).toBe(false);
    }, WAIT);
  });
});

/** Comes to a door as a control plane does, and leaves. */
function knock(door: string): void {
  const visitor = connectUnix(door);
  if (visitor === undefined) throw new RangeError('nobody listens at the door');
  const brought = [...socketPair('stream'), ...socketPair('seqpacket')];
  sendFds(visitor, 0, brought.slice(0, 3));
  [visitor, ...brought].forEach(closeFd);
}

describe('openDoor()', () => {
  const NOBODY = 65_534;
  const asNobody = (door: string) =>
    run(
      [
        'setpriv',
        `--reuid=${NOBODY}`,
        '--clear-groups',
        'socat',
        '-u',
        `UNIX-CONNECT:${door}`,
        '-',
      ],
      { okCodes: [0, 1] },
    );

  test('lets nobody but root in, even where the file system would', async () => {
    const door = join(newRunDir(), 'plane.sock');
    let gave = 0;
    const server = openDoor(bindUnix(door), {
      legacy: () => {
        gave += 1;
        return undefined;
      },
      entered: () => undefined,
    });
    undo.push(() => server.close());
    chmodSync(join(door, '..'), 0o755);
    expect((await asNobody(door)).stderr).toMatch(/Permission denied/);
    chmodSync(door, 0o666);
    expect((await asNobody(door)).code).toBe(0);
    expect(gave).toBe(0);
    knock(door);
    await vi.waitFor(() => expect(gave).toBe(1), WAIT);
  });
});
