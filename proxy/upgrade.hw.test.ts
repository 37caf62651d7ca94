// A control plane of another build than the data plane that it finds.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import type { ChainId, Slot } from '#agent/base/brands.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { HOLD_POD } from './plane.probe.ts';
import { NO_SNAPSHOT, type LiveChain } from './snapshot.ts';
import {
  UID,
  SETTINGS,
  WAIT,
  POD,
  undo,
  type LogLine,
  isThere,
  parent,
  found,
  goOn,
  running,
  ask,
  claim,
} from './takeOver.fixture.ts';

/** A chain of short slots: a few of them pass until peers know the new control plane. */
const CHAIN: LiveChain = {
  id: '00'.repeat(16) as ChainId,
  generation: 1,
  epoch: 1,
  periodMs: 50,
  algorithm: 1,
  atSlot: 1 as Slot,
  slot: 1 as Slot,
  key: new Uint8Array(32),
};

describe('a data plane of another build', () => {
  test('goes on with one of another build until its own serves; live connections stay with the first', async () => {
    const settings = { ...SETTINGS, build: 'another' };
    const { runDir, pid, port, kill } = await parent({ podUid: HOLD_POD });
    const held = connect({ host: '127.0.0.1', port });
    await once(held, 'data');
    await kill();
    const got = await found(runDir, settings);
    const { predecessor } = got;
    expect(predecessor).toMatchObject({ fits: false, settings: SETTINGS });
    const log: LogLine[] = [];
    const plane = goOn(got, log, settings);
    const listener = claim(predecessor, port);
    if (listener === undefined) throw new RangeError('no listener');
    undo.push(() => closeFd(listener));
    plane.listen({ kind: 'pod', podUid: HOLD_POD, family: 4 }, listener);
    plane.listenersNamed();
    await running(plane);
    expect(plane.status().pid).toBe(pid);
    expect(log.map(({ event }) => event)).not.toContain('plane.retiring'); // nobody knows the new one yet
    plane.publish({
      ...NO_SNAPSHOT,
      version: 1,
      self: { ...NO_SNAPSHOT.self, trusted: true },
      chains: [CHAIN],
    });
    await vi.waitFor(() => expect(plane.status().pid).not.toBe(pid), WAIT);
    await running(plane);
    expect(plane.status().restarts).toBe(0);
    const late = connect({ host: '127.0.0.1', port });
    await once(late, 'data');
    expect((await plane.lanes(1))?.draining).toBe(1);
    expect(isThere(pid)).toBe(true);
    for (const socket of [held, late]) socket.resetAndDestroy();
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), WAIT);
    await vi.waitFor(() => expect(log.map(({ event }) => event)).toContain('plane.retired'), WAIT);
  });

  test('sends one that speaks a version of long ago into retirement', async () => {
    const { runDir, pid, port, kill } = await parent();
    await kill();
    const file = join(runDir, 'planes.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"speaks":\d+,/, ''), { mode: 0o600 });
    const settings = { ...SETTINGS, build: 'another' };
    const got = await found(runDir, settings);
    const { predecessor } = got;
    expect(predecessor.memory).toBeUndefined();
    const log: LogLine[] = [];
    const plane = goOn(got, log, settings);
    const listener = claim(predecessor, port);
    if (listener === undefined) throw new RangeError('no listener');
    undo.push(() => closeFd(listener));
    plane.listen({ kind: 'pod', podUid: POD, family: 4 }, listener);
    expect((await ask(port)).uid).toBe(UID);
    await vi.waitFor(() => expect(isThere(pid)).toBe(false), WAIT);
    await running(plane);
    expect(plane.status()).toMatchObject({ restarts: 0 });
    expect(log.map(({ event }) => event)).toContain('plane.retired');
  });
});
