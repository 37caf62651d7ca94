import { fstatSync, openSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_SOCKETS, type Family } from './control.ts';
import { closeFd } from '#proxy/native/fd.ts';
import { SocketPool } from './socketPool.ts';
import { SkippingClock } from './skippingClock.fixture.ts';

const someFd = (): number => openSync('/dev/null', 'r');
const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

function poolFor(uid: string, families: readonly Family[] = [4]) {
  const clock = new SkippingClock();
  const asked: number[] = [];
  const room = { ceiling: Infinity };
  const pool = new SocketPool((_uid, _family, want) => asked.push(want), clock, room);
  const taken: (number | undefined)[] = [];
  pool.retain([{ uid, families }]);
  const take = (): void => pool.take(uid, 4, (fd) => taken.push(fd));
  return { clock, asked, pool, room, taken, take };
}

describe('SocketPool', () => {
  it('retain() asks for a few sockets of each family of a new pod, once', () => {
    const { asked, pool } = poolFor('p', [4, 6]);
    expect(asked).toEqual([8, 8]);
    pool.retain([{ uid: 'p', families: [4, 6] }]);
    expect(asked).toEqual([8, 8]);
    pool.close();
  });

  it('askAgain() asks for what another control plane may not have heard', () => {
    const { asked, pool, taken, take } = poolFor('p');
    take();
    expect(asked).toHaveLength(1);
    pool.askAgain();
    expect(asked).toHaveLength(2);
    expect(taken).toEqual([]); // goes on waiting
    pool.close();
  });

  it('take() gives what is there, and lets the next wait for what comes', () => {
    const { pool, taken, take } = poolFor('p');
    const [one, two] = [someFd(), someFd()];
    pool.give('p', 4, [one]);
    take();
    take();
    expect(taken).toEqual([one]);
    pool.give('p', 4, [two]);
    expect(taken).toEqual([one, two]);
    pool.close();
  });

  it('take() asks for twice as many when they go fast, never for more than one message holds', () => {
    const { asked, pool, take } = poolFor('p');
    for (let n = 0; n < 12; n += 1) {
      const want = asked.at(-1) ?? 0;
      pool.give('p', 4, Array.from({ length: want }, someFd));
      for (let i = 0; i < want; i += 1) take();
    }
    expect(asked.some((want) => want > 64)).toBe(true);
    expect(Math.max(...asked)).toBeLessThanOrEqual(MAX_SOCKETS);
    pool.close();
  });

  it('retain() and take() never ask for none, whatever goes and however long it was quiet', () => {
    const steps = fc.array(fc.constantFrom(1, 4, 9, 1500, 11_000), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (takesOrMs) => {
        const { clock, asked, pool, taken, take } = poolFor('p');
        let given = 0;
        for (const step of takesOrMs) {
          for (; given < asked.length; given += 1) {
            pool.give('p', 4, Array.from({ length: asked[given] ?? 0 }, someFd));
          }
          if (step > 1000) clock.skip(step);
          else for (let n = 0; n < step; n += 1) take();
          pool.retain([{ uid: 'p', families: [4] }]);
        }
        pool.close();
        for (const fd of taken) if (fd !== undefined) closeFd(fd);
        expect(Math.min(...asked)).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('give() of high descriptors: from then on none is asked for that nobody waits for', () => {
    const { asked, pool, room, take } = poolFor('p');
    room.ceiling = 0;
    pool.give('p', 4, [someFd()]);
    expect(asked).toEqual([8]);
    take();
    take();
    expect(asked).toEqual([8, 1]);
    room.ceiling = Infinity;
    pool.give('p', 4, [someFd()]);
    expect(asked.at(-1)).toBeGreaterThan(1);
    pool.close();
  });

  it('give() of none fails who waits, and those after, until it is time to ask again', () => {
    const { clock, asked, pool, taken, take } = poolFor('p');
    take();
    pool.give('p', 4, []);
    take();
    expect(taken).toEqual([undefined, undefined]);
    expect(asked.length).toBe(1);
    clock.skip(1500);
    take();
    expect(asked.length).toBe(2);
    expect(taken.length).toBe(2); // waits again
    pool.close();
  });

  it('take() fails for a pod it does not know, and beyond a bound of waiting connections', () => {
    const { pool, taken, take } = poolFor('p');
    pool.take('other', 4, (fd) => taken.push(fd));
    expect(taken).toEqual([undefined]);
    for (let n = 0; n < 2000; n += 1) take();
    expect(taken.length).toBeGreaterThan(900);
    pool.close();
    expect(taken.length).toBe(2001);
    expect(taken.every((fd) => fd === undefined)).toBe(true);
  });

  it('retain() closes the sockets of a pod that is gone, give() those that come for it', () => {
    const { pool } = poolFor('p');
    const [held, late] = [someFd(), someFd()];
    pool.give('p', 4, [held]);
    pool.retain([]);
    pool.give('p', 4, [late]);
    expect([held, late].map(isOpen)).toEqual([false, false]);
  });
});
