// Tests of when a loop polls instead of sleeping.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { until, world } from './lane.fixture.ts';
import { POLL_MS, Polling } from './polling.ts';

/** A sleep of `ms` that an event has ended, and its turn. */
function slept(polling: Polling, ms: number, served = true): void {
  polling.slept(ms);
  polling.turned(served);
}
/** A poll, and its turn. */
function polled(polling: Polling, found: boolean, served = found): void {
  polling.polled(found);
  polling.turned(served);
}

describe('Polling', () => {
  it('sleeps at first, and polls once a sleep was shorter than a poll', () => {
    const polling = new Polling();
    expect(polling.isWorthwhile).toBe(false);
    slept(polling, POLL_MS * 2);
    expect(polling.isWorthwhile).toBe(false);
    slept(polling, POLL_MS / 2);
    expect(polling.isWorthwhile).toBe(true);
  });

  it('goes on polling while it finds something', () => {
    const polling = new Polling();
    slept(polling, 0);
    for (let i = 0; i < 1000; i += 1) polled(polling, i % 3 === 0);
    expect(polling.isWorthwhile).toBe(true);
  });

  it('gives up after a few polls in vain, however much it found before', () => {
    const polling = new Polling();
    slept(polling, 0);
    for (let i = 0; i < 1000; i += 1) polled(polling, true);
    let polls = 0;
    for (; polling.isWorthwhile; polls += 1) polled(polling, false);
    expect(polls).toBe(4);
    for (let i = 0; i < 1000; i += 1) slept(polling, POLL_MS); // what comes this rarely is worth no poll
    expect(polling.isWorthwhile).toBe(false);
  });

  it('trusts short sleeps no further than polls that found something', () => {
    const polling = new Polling();
    for (let i = 0; i < 1000; i += 1) slept(polling, 0);
    for (let i = 0; i < 4; i += 1) polled(polling, false);
    expect(polling.isWorthwhile).toBe(false);
  });

  it('leaves a processor that it shares alone, longer each time until a poll serves somebody', () => {
    const polling = new Polling();
    const sleepsUntilWorthwhile = (): number => {
      polling.crowded();
      let sleeps = 0;
      for (; !polling.isWorthwhile; sleeps += 1) slept(polling, 0);
      return sleeps;
    };
    slept(polling, 0);
    const first = [sleepsUntilWorthwhile(), sleepsUntilWorthwhile(), sleepsUntilWorthwhile()];
    expect(first).toEqual([21, 81, 321]);
    for (let i = 0; i < 3; i += 1) expect(sleepsUntilWorthwhile()).toBe(1281);
    polled(polling, true, false); // by a stranger
    expect(sleepsUntilWorthwhile()).toBe(1281);
    polled(polling, true);
    expect(sleepsUntilWorthwhile()).toBe(21);
  });

  it('learns nothing from events that serve nobody, and gives up over them', () => {
    const polling = new Polling();
    for (let i = 0; i < 1000; i += 1) slept(polling, 0, false);
    expect(polling.isWorthwhile).toBe(false);
    for (let i = 0; i < 10; i += 1) slept(polling, 0);
    let polls = 0;
    for (; polling.isWorthwhile; polls += 1) polled(polling, true, false);
    expect(polls).toBe(4);
  });
});

it('turned() hears of what lanes carry, and of nothing that a stranger does', async () => {
  const two = await world();
  const destination = await two.serve((socket) => socket.pipe(socket));
  const turned = vi.spyOn(Polling.prototype, 'turned');
  onTestFinished(() => turned.mockRestore());
  const served = (): number => turned.mock.calls.filter(([isServed]) => isServed).length;
  const stranger = connect({ port: two.b.lanePort, host: '127.0.0.1' });
  stranger.write(Buffer.alloc(1000));
  await until(() => expect(two.b.count('strangers')).toBe(1));
  expect(served()).toBe(0);
  const app = await two.a.connect(destination);
  app.write('word');
  await once(app, 'data');
  expect(served()).toBeGreaterThan(3);
  stranger.destroy();
});
