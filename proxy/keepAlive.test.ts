// Who asks whether the other end lives, by the kernel's own table of sockets.
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { opened, until, world } from './lane.fixture.ts';

/** Column `tr` of /proc/net/tcp: which timer runs. */
const KEEPALIVE = '02';
const ESTABLISHED = '01';

/** Of connections between loopback ports, `local:remote` and whether they are asked when idle. */
function asked(): ReadonlyMap<string, boolean> {
  const rows = readFileSync('/proc/self/net/tcp', 'latin1').trim().split('\n').slice(1);
  return new Map(
    rows.flatMap((row): [string, boolean][] => {
      const [, local = '', remote = '', state, , timer = ''] = row.trim().split(/\s+/);
      const port = (name: string): number => Number.parseInt(name.split(':')[1] ?? '', 16);
      if (state !== ESTABLISHED) return [];
      return [[`${port(local)}:${port(remote)}`, timer.startsWith(KEEPALIVE)]];
    }),
  );
}

it('every connection of a lane is kept alive once a slot has changed, and none before', async () => {
  const two = await world();
  const served: Socket[] = [];
  const destination = await two.serve((socket) => served.push(socket));
  const app = await two.a.connect(destination);
  await opened(two);
  const { localPort: appPort = 0 } = app;
  await until(() => expect(served.length).toBe(1));
  const ofLane = (): boolean[] =>
    [...asked()].flatMap(([ports, isAsked]) => {
      const [local, remote] = ports.split(':').map(Number);
      const isOurs =
        (local === two.a.outPort && remote === appPort) || // the application's
        local === two.b.lanePort || // the lane's, at both ends
        remote === two.b.lanePort ||
        (local === served[0]?.remotePort && remote === destination.port); // into the pod
      return isOurs ? [isAsked] : [];
    });
  expect(ofLane()).toEqual([false, false, false, false]);
  two.skipSlots(1);
  await until(() => expect(ofLane()).toEqual([true, true, true, true]));
  app.destroy();
});
