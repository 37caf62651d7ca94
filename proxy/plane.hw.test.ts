// The supervision and the real process, with workers that answer what they are able to do
// (plane.probe.ts). Everything on loopback.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { BEHIND, USUAL, setProcessPriority } from '#agent/base/priority.ts';
import { encodeFrame } from './channel.ts';
import { CONTROL_VERSION, QUESTIONS_PER_SECOND } from './control.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import type { DataPlaneOptions } from './plane.ts';
import { ASK_POD, POOL_POD, POOL_TARGET } from './plane.probe.ts';
import { privilegeFaults } from './privilege.ts';
import { identify } from './processIdentity.ts';
import type { Snapshot } from './snapshot.ts';
import {
  SETTINGS,
  UID,
  WAIT,
  ask,
  listenFor,
  newFolder,
  openRecord,
  running,
  snapshot,
  start,
  undo,
} from './plane.fixture.ts';

/** A program that stands in for proxy/main.ts, in a folder of its own. */
function impostor(source: string): Partial<DataPlaneOptions> {
  const folder = newFolder();
  const mainPath = join(folder, 'main.mjs');
  writeFileSync(mainPath, source);
  return { mainPath, appFolder: folder };
}

/** A Node that may start no process and no thread once it is not root: what an impostor cannot tell. */
function barrenNode(): string {
  const path = join(newFolder(), 'node');
  const script = `#!/bin/sh\nexec prlimit --nproc=0 -- '${process.execPath}' "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
  return path;
}

const HELLO = `
import { Socket } from 'node:net';
const channel = new Socket({ fd: 3 });
const say = (message) => {
  const header = Buffer.from(JSON.stringify(message));
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(header.length);
  channel.write(Buffer.concat([prefix, header]));
};
let heard = 0;
channel.on('data', (data) => { heard += data.length; });
`;

/** What arrives at POOL_TARGET: each probe worker says its index on every socket it was given. */
function serveArrivals(): string[] {
  const arrived: string[] = [];
  const server = createServer((socket) => {
    socket.setEncoding('utf8').on('data', (text) => arrived.push(String(text)));
    socket.on('end', () => socket.end());
  });
  server.listen(POOL_TARGET);
  undo.push(() => server.close());
  return arrived;
}

describe('startDataPlane()', () => {
  test('startDataPlane() runs a process that can neither read, nor spawn, nor become root', async () => {
    const { plane } = await start();
    const port = listenFor(plane, 'pod-1');
    await running(plane);
    expect(await ask(port)).toMatchObject({
      uid: UID,
      readFile: 'ERR_ACCESS_DENIED',
      spawn: 'ERR_ACCESS_DENIED',
      nativeRead: 'EACCES',
      nativeRoot: 'EPERM',
      nativeFork: 'EAGAIN',
    });
    const { pid } = plane.status();
    expect(privilegeFaults(pid, SETTINGS)).toEqual([]);
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    expect(readdirSync(`/proc/${pid}/task`).length).toBeGreaterThan(SETTINGS.workers);
    expect(privilegeFaults(process.pid, SETTINGS).length).toBeGreaterThan(0);
  });

  test('startDataPlane() runs every thread of its process before those of a control plane that is behind', async () => {
    const own = getPriority();
    setProcessPriority(BEHIND);
    undo.push(() => setProcessPriority(own));
    const { plane } = await start();
    await running(plane);
    const threads = readdirSync(`/proc/${plane.status().pid}/task`);
    expect(new Set(threads.map((tid) => getPriority(Number(tid))))).toEqual(new Set([USUAL]));
    expect(getPriority()).toBe(BEHIND);
  });

  test('startDataPlane() gives every worker the newest snapshot, keys included', async () => {
    const { plane } = await start();
    plane.publish(snapshot(1, 0x11));
    await running(plane);
    plane.publish(snapshot(2, 0x22));
    await vi.waitFor(() => expect(plane.status().ackedVersion).toBe(2), WAIT);
    expect((await ask(listenFor(plane, 'pod-1'))).chainKey).toBe('22'.repeat(32));
  });

  test('startDataPlane() fills pools on demand, verifies once and passes events and counters on', async () => {
    const arrived = serveArrivals();
    const { plane, events, counters } = await start();
    listenFor(plane, POOL_POD);
    await running(plane);
    await vi.waitFor(() => expect(arrived.toSorted().join('')).toBe('0000011111'), WAIT);
    await vi.waitFor(() => expect(events).toHaveLength(2), WAIT);
    expect(events[0]).toMatchObject({ kind: 'refused', reason: 'bad-token' });
    await vi.waitFor(
      () => expect(plane.status().asymmetric).toEqual({ total: 1, tokens: 1 }),
      WAIT,
    );
    expect(counters.totals().lanesOpenedIn).toBe(SETTINGS.workers);
  });

  test('startDataPlane() answers who asks for sockets that cannot be made, so that it asks again', async () => {
    const arrived = serveArrivals();
    let asked = 0;
    const { plane, log } = await start({
      makeSockets: (_podUid, family, count) => {
        asked += 1;
        if (asked === 1) throw new RangeError('no room');
        return asked === 2 ? [] : Array.from({ length: count }, () => tcpSocket(family));
      },
    });
    listenFor(plane, POOL_POD);
    await vi.waitFor(() => expect(arrived.toSorted().join('')).toBe('0000011111'), WAIT);
    expect(asked).toBe(4);
    expect(JSON.stringify(log.find((line) => line.event === 'plane.sockets'))).toContain('no room');
  });

  test('startDataPlane() answers questions, and passes on no more of them than it bears', async () => {
    const asked: string[] = [];
    const { plane, log } = await start({
      settings: { ...SETTINGS, workers: 1 },
      onWhereIs: (address) => {
        asked.push(address);
        return Promise.resolve(false);
      },
    });
    const port = listenFor(plane, ASK_POD);
    await running(plane);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(QUESTIONS_PER_SECOND), WAIT);
    await vi.waitFor(async () => expect((await ask(port)).found).toBe(asked.length), WAIT);
    expect(new Set(asked)).toEqual(new Set(['192.0.2.1']));
    expect(plane.status()).toMatchObject({ state: 'running', restarts: 0, canAsk: true });
    expect(log.map(({ event }) => event)).not.toContain('plane.ended');
  });

  test('startDataPlane() lets nobody be reached in the clear by a process that cannot ask', async () => {
    const told: Snapshot = { ...snapshot(1, 0x11), unmeshed: 'plain', asks: true };
    const { plane, log } = await start({
      ...impostor(`${HELLO}
        process.setgroups([]);
        process.setgid(${UID});
        process.setuid(${UID});
        say({ type: 'hello', version: ${CONTROL_VERSION - 1}, workers: 2, spares: 0 });
        const words = [];
        channel.on('data', (data) => {
          const [word] = /"unmeshed":"[a-z]+"/.exec(data.toString('latin1')) ?? [];
          if (word) words.push(word);
          if (words.length === 2) { process.stderr.write(words.join()); process.exit(0); }
        });`),
      nodePath: barrenNode(),
    });
    plane.publish(told);
    await running(plane);
    expect(plane.status().canAsk).toBe(false);
    plane.publish({ ...told, version: 2, asks: false });
    const words = (): unknown =>
      log.find(({ event }) => event === 'plane.lastWords')?.fields['words'];
    await vi.waitFor(() => expect(words()).toBe('"unmeshed":"refuse","unmeshed":"plain"'), WAIT);
  });

  test('startDataPlane() starts a killed process anew; who connects meanwhile is served by the next', async () => {
    const { plane } = await start();
    plane.publish(snapshot(5, 0x55));
    const port = listenFor(plane, 'pod-1');
    await running(plane);
    const first = plane.status().pid;
    process.kill(first, 'SIGKILL');
    await vi.waitFor(() => expect(plane.status().restarts).toBe(1), WAIT);
    expect(plane.status().state).toBe('starting');
    const answer = await ask(port);
    expect(answer.chainKey).toBe('55'.repeat(32));
    await running(plane, 1);
    expect(plane.status().pid).not.toBe(first);
  });

  test('startDataPlane() gives nothing to a process that keeps its privileges', async () => {
    const { plane, log } = await start(
      impostor(`${HELLO}
        setTimeout(() => say({ type: 'hello', version: ${CONTROL_VERSION}, workers: 2, spares: 0 }), 50);
        setInterval(() => process.stderr.write('heard ' + heard + ';'), 5);`),
    );
    plane.publish(snapshot(1, 0x11));
    await vi.waitFor(
      () => expect(log.some((line) => line.event === 'plane.privileged')).toBe(true),
      WAIT,
    );
    await vi.waitFor(
      () => expect(log.some((line) => line.event === 'plane.lastWords')).toBe(true),
      WAIT,
    );
    const words = String(log.find((line) => line.event === 'plane.lastWords')?.fields['words']);
    const hello = { type: 'hello', version: CONTROL_VERSION, settings: SETTINGS };
    const helloBytes = encodeFrame({ ...hello, staleAfterMs: 60_000 }).length;
    expect(new Set(words.match(/heard \d+/g))).toEqual(new Set([`heard ${helloBytes}`]));
  });

  test.each([
    ['is no frame', `channel.write(Buffer.alloc(64, 0xff));`],
    ['is no message', `say({ type: 'ack', version: -1 });`],
    ['comes before hello', `say({ type: 'poolLow', worker: 0, podUid: 'p', family: 4, want: 9 });`],
    ['is hello in another version', `say({ type: 'hello', version: 99, workers: 2 });`],
  ])('startDataPlane() ends a process whose message %s, and lives on', async (_what, misdeed) => {
    const { plane, log } = await start(
      impostor(`${HELLO}\n${misdeed}\nsetInterval(() => {}, 1000);`),
    );
    await vi.waitFor(() => expect(plane.status().restarts).toBeGreaterThan(0), WAIT);
    const ends = log.filter((line) => line.event === 'plane.ended');
    expect(JSON.stringify(ends[0]?.fields)).toMatch(/frame|no message/);
  });

  test.each([
    ['says too much', `say({ type: 'ack', version: 1 })`, 20_000, /messages in a second/],
    [
      'asks for too many sockets',
      `say({ type: 'poolLow', worker: 0, podUid: 'p', family: 4, want: 253 })`,
      500,
      /sockets in a second/,
    ],
  ])('startDataPlane() ends a process that %s', async (_what, misdeed, times, why) => {
    const { log } = await start({
      ...impostor(`${HELLO}
        process.setgroups([]);
        process.setgid(${UID});
        process.setuid(${UID});
        say({ type: 'hello', version: ${CONTROL_VERSION}, workers: 2 });
        for (let i = 0; i < ${times}; i += 1) ${misdeed};
        setInterval(() => {}, 1000);`),
      nodePath: barrenNode(),
      makeSockets: () => [],
    });
    await vi.waitFor(
      () => expect(log.some((line) => line.event === 'plane.ended')).toBe(true),
      WAIT,
    );
    expect(log.map((line) => line.event)).toContain('plane.running');
    expect(JSON.stringify(log)).toMatch(why);
  });

  test('DataPlane.lanes() counts who only drains, and close() ends that as well', async () => {
    const record = await openRecord();
    const child = spawn('sleep', ['60']);
    const exit = once(child, 'exit');
    const identity = identify(child.pid ?? 0);
    if (identity === undefined) throw new RangeError('it has ended');
    const given = { program: '0:0', replay: '0:1', counters: '0:2', settings: SETTINGS };
    record.add({ ...identity, ...given, endBy: Date.now() + 60_000 });
    const { plane } = await start({ record });
    await running(plane);
    expect((await plane.lanes(1))?.draining).toBe(1);
    await plane.close();
    expect(await exit).toEqual([null, 'SIGKILL']);
  });

  test('startDataPlane() waits longer after each failure in a row', async () => {
    const { log } = await start(impostor('process.exit(3);'));
    const delays = (): unknown[] =>
      log.filter((line) => line.event === 'plane.ended').map((line) => line.fields['restartInMs']);
    await vi.waitFor(() => expect(delays().length).toBeGreaterThan(3), WAIT);
    expect(delays().slice(0, 4)).toEqual([0, 100, 200, 400]);
  });

  test('startDataPlane() survives a program that cannot be run', async () => {
    const { plane, log } = await start({ nodePath: '/nonexistent/node' });
    await vi.waitFor(() => expect(plane.status().restarts).toBeGreaterThan(1), WAIT);
    expect(JSON.stringify(log)).toContain('ENOENT');
  });

  test('DataPlane.unlisten() stops serving a listener', async () => {
    const { plane } = await start();
    const port = listenFor(plane, 'pod-1');
    await running(plane);
    await ask(port);
    plane.unlisten({ kind: 'pod', podUid: 'pod-1', family: 4 });
    const other = listenFor(plane, 'pod-2');
    await ask(other);
    const waiting = connect({ host: '127.0.0.1', port });
    await once(waiting, 'connect');
    await ask(other);
    expect(waiting.bytesRead).toBe(0);
    waiting.destroy();
  });

  test.each([0, 5000])('DataPlane.close(%i) ends the process', async (drainMs) => {
    const { plane } = await start();
    await running(plane);
    const { pid } = plane.status();
    await plane.close(drainMs);
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    expect(plane.status()).toMatchObject({ state: 'closed', pid: 0 });
  });
});
