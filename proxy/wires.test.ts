// Lanes that follow each other on one connection.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectedLeg, testReactor } from './leg.fixture.ts';
import { idle, onPath, readAll, until, world } from './lane.fixture.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { encodeSockaddr } from '#proxy/native/sockaddr.ts';
import { tcpSocket } from '#proxy/native/socket.ts';
import { startConnecting, transmit } from '#proxy/native/stream.ts';
import type { Endpoint } from '#proxy/see/address.ts';
import { SkippingClock } from './skippingClock.fixture.ts';
import type { TwoNodes } from './twoNodes.fixture.ts';
import { Wires } from './wires.ts';

/** Connections between the nodes, each with what went from a to b. */
async function counted(two: TwoNodes, batchMs = 0): Promise<Socket[]> {
  const wires: Socket[] = [];
  await onPath(two, (near, far) => {
    wires.push(near);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      const held: Buffer[] = [];
      const pass = (): void => void (held.length > 0 && to.write(Buffer.concat(held.splice(0))));
      from.on('data', (bytes: Buffer) => {
        held.push(bytes);
        setTimeout(pass, batchMs);
      });
      from.on('end', () => setTimeout(() => (pass(), to.end()), batchMs));
      from.on('close', () => to.destroy());
    }
  });
  return wires;
}

/** One connection of pod a that says `text` and gets it back. */
async function exchange(
  two: TwoNodes,
  destination: { address: string; port: number },
  text: string,
) {
  const app = await two.a.connect(destination);
  app.end(text);
  return String(await readAll(app));
}

describe('a wire', () => {
  it.each([0, 15])('carries one lane after the other (%i ms of delay)', async (batchMs) => {
    const two = await world();
    const wires = await counted(two, batchMs);
    const destination = await two.serve((socket) => socket.pipe(socket));
    for (let n = 0; n < 12; n += 1) {
      expect(await exchange(two, destination, `text ${n}`)).toBe(`text ${n}`);
    }
    expect(wires.length).toBe(1);
    expect(two.b.count('lanesOpenedIn')).toBe(12);
    expect(two.b.count('strangers')).toBe(0);
    await idle(two);
  });

  it('carries one lane at a time: those of the same moment have wires of their own', async () => {
    const two = await world();
    const wires = await counted(two);
    const destination = await two.serve((socket) => socket.pipe(socket));
    for (let n = 0; n < 3; n += 1) {
      const texts = Array.from({ length: 5 }, (_, i) => `text ${n}.${i}`);
      const all = texts.map((text) => exchange(two, destination, text));
      expect(await Promise.all(all)).toEqual(texts);
      await idle(two);
    }
    expect(wires.length).toBe(5);
  });

  it('is not used after a lane that was cut, nor once its time is over', async () => {
    const two = await world();
    const wires = await counted(two);
    const destination = await two.serve((socket) => {
      socket.once('data', (bytes) =>
        bytes.toString() === 'reset' ? socket.resetAndDestroy() : socket.end(bytes),
      );
    });
    expect(await exchange(two, destination, 'one')).toBe('one');
    expect(await exchange(two, destination, 'reset')).toBe('ECONNRESET');
    expect(await exchange(two, destination, 'two')).toBe('two');
    expect(wires.length).toBe(2);
    await idle(two);
    two.clock.skip(3000);
    expect(await exchange(two, destination, 'three')).toBe('three');
    expect(wires.length).toBe(3);
  });

  it('is closed by the end that listens, at the deadline of any connection there', async () => {
    const two = await world();
    const [wire, destination] = [await counted(two), await two.serve((s) => s.pipe(s))];
    expect(await exchange(two, destination, 'one')).toBe('one');
    await idle(two);
    two.clock.skip(12_500);
    await until(() => expect(wire[0]?.closed).toBe(true));
  });

  it('that brings noise after a lane is closed, and the node goes on', async () => {
    const two = await world();
    const destination = await two.serve((socket) => socket.pipe(socket));
    const fars: Socket[] = [];
    await onPath(two, (near, far) => {
      fars.push(far);
      near.pipe(far).pipe(near);
    });
    expect(await exchange(two, destination, 'one')).toBe('one');
    await idle(two);
    fars[0]?.write(Buffer.alloc(600, 7));
    await until(() => expect(fars[0]?.closed).toBe(true));
    expect(await exchange(two, destination, 'two')).toBe('two');
    expect(fars.length).toBe(2);
  });

  it('is free of the old lane: no KEYUPDATE follows a FIN, though a slot begins', async () => {
    const two = await world();
    two.clock.skip(10_000 - (two.clock.wallMs() % 10_000) - 2000); // near the end of a slot
    two.tell();
    let isHeld = false;
    const held: (() => void)[] = [];
    await onPath(two, (near, far) => {
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('data', (bytes: Buffer) => {
          if (isHeld) held.push(() => to.write(bytes));
          else to.write(bytes);
        });
        from.on('close', () => to.destroy());
      }
    });
    const destination = await two.serve((socket) =>
      socket.once('data', () => socket.end('banner')),
    );
    const first = await two.a.connect(destination);
    first.write('q');
    expect(String(await readAll(first))).toBe('banner'); // the other end has said all
    isHeld = true;
    first.end();
    await until(() => expect(two.a.count('active')).toBe(0));
    const second = await two.a.connect(destination);
    second.write('q');
    await until(() => expect(held.length).toBeGreaterThan(1));
    two.clock.skip(3000);
    isHeld = false;
    for (const pass of held.splice(0)) pass();
    expect(String(await readAll(second))).toBe('banner');
    expect(two.a.count('refused.peer-silent')).toBe(0);
  });

  it('is not let go while a slow pod still has to read what waits for it', async () => {
    const two = await world();
    let slow: Socket | undefined;
    const destination = await two.serve((socket) => {
      slow = socket.pause();
      socket.end('x');
    });
    const held = await kernelHolds(destination);
    const app = await two.a.connect(destination);
    await once(app.resume(), 'end');
    const sent = Buffer.alloc(held + (256 << 10), 1); // the rest waits in the leg of the pod
    app.end(sent);
    await until(() => expect(two.a.count('bytesOut')).toBe(sent.length));
    two.clock.skip(5001);
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (!slow) throw new Error('no pod');
    expect(((await readAll(slow.resume())) as Buffer).length).toBe(sent.length);
  });

  it('is given up by a node that drains', async () => {
    const two = await world();
    const wires = await counted(two);
    const destination = await two.serve((socket) => socket.pipe(socket));
    expect(await exchange(two, destination, 'one')).toBe('one');
    await idle(two);
    const app = await two.a.connect(destination);
    app.write('two');
    await once(app, 'data');
    two.b.worker.handle({ type: 'drain', deadlineMs: 60_000 });
    app.end();
    await until(() => expect(wires[0]?.closed).toBe(true));
    expect(wires.length).toBe(1);
  });
});

/** How much the kernel takes for a server that does not read. */
async function kernelHolds({ address, port }: Endpoint): Promise<number> {
  const fd = tcpSocket(4);
  startConnecting(fd, encodeSockaddr(address, port));
  const chunk = Buffer.alloc(64 << 10);
  let taken = 0;
  for (let pauses = 0; pauses < 3;) {
    const length = transmit(fd, chunk, false);
    taken += Math.max(0, length);
    pauses = length > 0 ? 0 : pauses + 1;
    if (length < 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  closeFd(fd);
  return taken;
}

describe('Wires', () => {
  it('take() gives the newest of a place, once, and none that has gone', async () => {
    const clock = new SkippingClock(true);
    const reactor = testReactor();
    const wires = new Wires(clock);
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => connectedLeg(reactor)));
    if (!one || !two || !three) throw new Error('no legs');
    wires.keep('here', one.leg);
    wires.keep('there', two.leg);
    wires.keep('here', three.leg);
    three.leg.destroy();
    expect(wires.take('here')).toBe(one.leg);
    expect(wires.take('here')).toBeUndefined();
    clock.skip(2501);
    expect(wires.take('there')).toBeUndefined();
    wires.close();
    await until(() => expect(two.leg.isClosed).toBe(true));
    wires.keep('here', one.leg);
    await until(() => expect(one.leg.isClosed).toBe(true));
  });

  it('keep() closes what speaks out of turn, and the oldest beyond 256', async () => {
    const reactor = testReactor();
    const wires = new Wires(new SkippingClock(true));
    const { leg, far } = await connectedLeg(reactor);
    wires.keep('here', leg);
    far.write('out of turn');
    await until(() => expect(leg.isClosed).toBe(true));
    expect(wires.take('here')).toBeUndefined();
    const many = await Promise.all(Array.from({ length: 257 }, () => connectedLeg(reactor)));
    for (const made of many) wires.keep('here', made.leg);
    await until(() => expect(many[0]?.leg.isClosed).toBe(true));
    expect(many.filter((made) => made.leg.isClosed).length).toBe(1);
  });
});
