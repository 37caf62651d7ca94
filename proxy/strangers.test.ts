import type { Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { connectedLeg, testReactor } from './leg.fixture.ts';
import type { Leg } from './leg.ts';
import { Strangers } from './strangers.ts';
import { SkippingClock } from './skippingClock.fixture.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const STRANGER = { isKnown: false, reconsider: () => undefined };

/** Both ends of loopback connections: the stranger's socket and our leg. */
async function pairs(count: number) {
  const reactor = testReactor();
  const made: { readonly theirs: Socket; readonly leg: Leg }[] = [];
  for (let n = 0; n < count; n += 1) {
    const { leg, far } = await connectedLeg(reactor);
    made.push({ theirs: far.resume(), leg });
  }
  return made;
}

function strangersWith(random: () => number, max = { open: 2, known: 2, ending: 2 }) {
  const clock = new SkippingClock();
  let open = 0;
  const counters = {
    add: (name: string, n = 1) => {
      if (name === 'strangersOpen') open += n;
    },
  };
  const strangers = new Strangers(clock, random, counters, max);
  closers.push(() => strangers.close());
  return { clock, strangers, open: () => open };
}
const until = (claim: () => void) => vi.waitFor(claim, { timeout: 5000, interval: 5 });

describe('Strangers', () => {
  it('add() draws a deadline between 4 and 12 s that does not depend on what is sent', async () => {
    for (const [draw, deadlineMs] of [
      [0, 4000],
      [0.5, 8000],
      [0.999, 11_992],
    ] as const) {
      const [quiet, noisy] = await pairs(2);
      if (!quiet || !noisy) throw new Error('no pairs');
      const { clock, strangers } = strangersWith(() => draw);
      strangers.ignore(strangers.add(quiet.leg, STRANGER));
      const stranger = strangers.add(noisy.leg, STRANGER);
      strangers.ignore(stranger);
      strangers.count(stranger, 1000);
      clock.skip(deadlineMs - 100);
      expect([quiet, noisy].map(({ leg }) => leg.isEnding)).toEqual([false, false]);
      clock.skip(400);
      expect([quiet, noisy].map(({ leg }) => leg.isEnding)).toEqual([true, true]);
      await until(() => expect(noisy.theirs.readableEnded).toBe(true));
    }
  });

  it('count() ends what sends more than its limit', async () => {
    const [one] = await pairs(1);
    if (!one) throw new Error('no pair');
    const { strangers } = strangersWith(() => 0);
    const stranger = strangers.add(one.leg, STRANGER);
    strangers.count(stranger, 16 << 10);
    expect(one.leg.isEnding).toBe(false);
    strangers.count(stranger, 1);
    expect(one.leg.isEnding).toBe(true);
  });

  it('add() over the cap ends the oldest, and beyond the second cap closes it', async () => {
    const made = await pairs(6);
    const { strangers, open } = strangersWith(() => 0);
    for (const { leg } of made) strangers.add(leg, STRANGER);
    expect(made.map(({ leg }) => leg.isEnding)).toEqual([true, true, true, true, false, false]);
    expect(open()).toBe(4);
    await until(() => {
      const isClosed = made.map(({ leg }) => leg.isClosed);
      expect(isClosed).toEqual([true, true, false, false, false, false]);
    });
  });

  it('add() pushes no connection out on which a lane has ended, however many strangers come', async () => {
    const made = await pairs(5);
    const { strangers, open } = strangersWith(() => 0);
    const [known, ...others] = made;
    if (known) strangers.add(known.leg, { ...STRANGER, isKnown: true });
    for (const { leg } of others) strangers.add(leg, STRANGER);
    expect(made.map(({ leg }) => leg.isEnding)).toEqual([false, true, true, false, false]);
    expect(open()).toBe(4);
  });

  it('makeRoom() closes what is ending first, then what a lane has left, then the oldest stranger', async () => {
    const made = await pairs(3);
    const { strangers, open } = strangersWith(() => 0);
    const [known, ended, stranger] = made.map(({ leg }, index) =>
      strangers.add(leg, { ...STRANGER, isKnown: index === 0 }),
    );
    if (!known || !ended || !stranger) throw new Error('not added');
    strangers.count(ended, 64 << 10);
    const order: unknown[] = [];
    while (strangers.makeRoom()) {
      await until(() =>
        expect(made.filter(({ leg }) => leg.isClosed).length).toBe(order.length + 1),
      );
      order.push([known, ended, stranger].map(({ leg }) => leg.isClosed));
    }
    expect(order).toEqual([
      [false, true, false],
      [true, true, false],
      [true, true, true],
    ]);
    expect(open()).toBe(0);
  });

  it('release() lets go of one that has shown a key: no deadline ends it', async () => {
    const [one] = await pairs(1);
    if (!one) throw new Error('no pair');
    const { clock, strangers, open } = strangersWith(() => 0);
    strangers.release(strangers.add(one.leg, STRANGER));
    clock.skip(60_000);
    expect(one.leg.isEnding).toBe(false);
    expect(open()).toBe(0);
  });

  it('what never closes is closed 4 s after its FIN', async () => {
    const [one] = await pairs(1);
    if (!one) throw new Error('no pair');
    const { clock, strangers } = strangersWith(() => 0);
    strangers.ignore(strangers.add(one.leg, STRANGER));
    clock.skip(4300);
    expect(one.leg.isClosed).toBe(false);
    await until(() => {
      clock.skip(1000);
      expect(one.leg.isClosed).toBe(true);
    });
  });

  it('reconsider() looks again at what is held, for the last time after 2 s', async () => {
    const [waiting, silent] = await pairs(2);
    if (!waiting || !silent) throw new Error('no pairs');
    const { clock, strangers } = strangersWith(() => 0.5);
    const looks: boolean[] = [];
    const early = strangers.add(waiting.leg, {
      isKnown: false,
      reconsider: (isLast) => {
        looks.push(isLast);
        if (isLast) strangers.ignore(early);
      },
    });
    const quiet = { isKnown: false, reconsider: () => expect.unreachable('it holds nothing') };
    strangers.add(silent.leg, quiet);
    expect(strangers.mayHold(early, 100)).toBe(true);
    strangers.reconsider();
    clock.skip(1750);
    expect(looks).toEqual([false]);
    clock.skip(500);
    strangers.reconsider();
    expect(looks).toEqual([false, true]);
  });

  it('mayHold() refuses what all together would keep beyond 16 MiB, until some is let go', async () => {
    const [one, other] = await pairs(2);
    if (!one || !other) throw new Error('no pairs');
    const { strangers } = strangersWith(() => 0.5);
    const [first, second] = [one, other].map(({ leg }) => strangers.add(leg, STRANGER));
    if (!first || !second) throw new Error('not added');
    expect(strangers.mayHold(first, 16 << 20)).toBe(true);
    expect(strangers.mayHold(first, 16 << 20)).toBe(true); // the same bytes, not more of them
    expect(strangers.mayHold(second, 1)).toBe(false);
    strangers.release(first);
    expect(strangers.mayHold(second, 1)).toBe(true);
  });
});
