// G1, its first half: what the program has written leaves with the opening. Nothing comes back on the path
// until the test lets it, so that whatever node b's pod has heard by then went in the first flight.
import { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { idle, onPath, readAll, until } from '#proxy/lane.fixture.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import { startConnecting, transmit } from '#proxy/native/stream.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { FULL_FRAME_DATA } from '#proxy/see/frames.ts';
import { Cluster } from './cluster.fixture.ts';
import { readLane } from './recording.fixture.ts';

/** A connection between the nodes: all that went to node b, and what node b said and is withheld. */
interface Wire {
  readonly c2s: Buffer[];
  readonly withheld: Buffer[];
}

/** Somebody on the path who passes everything on to node b, and nothing back while told to. */
class OneWay {
  readonly wires: Wire[] = [];
  isOneWay = false;
  readonly #release: (() => void)[] = [];

  take(near: Socket, far: Socket): void {
    const wire: Wire = { c2s: [], withheld: [] };
    this.wires.push(wire);
    near.on('data', (bytes: Buffer) => {
      wire.c2s.push(Buffer.from(bytes));
      far.write(bytes);
    });
    far.on('data', (bytes: Buffer) => {
      if (this.isOneWay) wire.withheld.push(Buffer.from(bytes));
      else near.write(bytes);
    });
    this.#release.push(() => void near.write(Buffer.concat(wire.withheld.splice(0))));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }

  release(): void {
    this.isOneWay = false;
    for (const release of this.#release) release();
  }
}

let cluster: Cluster;
afterEach(() => cluster.close());

/** A connection of node a's pod to `destination` that has said `text`, and that it ends, before anybody accepts it. */
function saying(destination: Endpoint, text: string): Socket {
  cluster.a.destination = destination;
  const fd = tcpSocket(4);
  startConnecting(fd, encodeSockaddr('127.0.0.1', cluster.a.outPort));
  const bytes = Buffer.from(text);
  const said = Math.max(0, transmit(fd, bytes, false));
  const app = new Socket({ fd, allowHalfOpen: true });
  app.end(bytes.subarray(said));
  return app;
}

async function world() {
  cluster = await Cluster.start(undefined, true);
  const path = new OneWay();
  await onPath(cluster, (near, far) => path.take(near, far));
  const heard: Buffer[][] = [];
  const destination = await cluster.serve((socket) => {
    const chunks: Buffer[] = [];
    heard.push(chunks);
    socket.on('data', (bytes: Buffer) => chunks.push(bytes));
    socket.pipe(socket);
  });
  return { path, heard, destination };
}

/** What these pieces of a connection say from an opening on, read without any reply. */
function flight(c2s: Buffer[]) {
  const { pieces } = readLane({ c2s, s2c: [] }, cluster.truth);
  const [block, ...frames] = pieces.map(({ what }) => what);
  const data = pieces.filter(({ what }) => what === 'data').map(({ plain }) => plain);
  return { block, frames: new Set(frames), text: Buffer.concat(data).toString() };
}

describe.each([
  ['a new connection', 0],
  ['a connection that has carried a lane', 1],
])('on %s', (_, before) => {
  it.each([
    ['a request', 'GET / HTTP/1.1\r\nHost: server\r\n\r\n'],
    ['what fills several frames', 'x'.repeat(2 * FULL_FRAME_DATA + 1)],
  ])('G1: %s leaves with the opening, before any reply', async (_name, text) => {
    const { path, heard, destination } = await world();
    for (let n = 0; n < before; n += 1) {
      expect(String(await readAll(saying(destination, 'before')))).toBe('before');
      await idle(cluster);
    }
    const from = path.wires[0]?.c2s.length ?? 0;
    path.isOneWay = true;
    const answer = readAll(saying(destination, text));
    await until(() => expect(Buffer.concat(heard[before] ?? []).length).toBe(text.length));
    expect(Buffer.concat(heard[before] ?? []).toString()).toBe(text);
    const sent = (): Buffer[] => path.wires[0]?.c2s.slice(from) ?? [];
    const expected = { block: 'block', frames: new Set(['data', 'fin']), text };
    await until(() => expect(flight(sent())).toEqual(expected));
    expect(path.wires).toHaveLength(1);
    expect(cluster.a.count('lanesOpenedOut')).toBe(before); // node a has heard of no reply
    path.release();
    expect(String(await answer)).toBe(text);
    await idle(cluster);
  });
});
