import { describe, expect, test } from 'vitest';
import type { Log } from '#agent/log.ts';
import { heardOf } from './records.fixture.ts';
import { Serial } from './serial.ts';

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A serial, and the order in which tasks ended. */
function recording(): {
  serial: Serial;
  done: string[];
  push: (name: string) => () => Promise<void>;
} {
  const done: string[] = [];
  return { serial: new Serial(silent), done, push: (name) => async () => void done.push(name) };
}

/** Ends when everything queued so far has. */
const settled = (serial: Serial): Promise<void> =>
  new Promise((resolve) => serial.addMessage('last', heardOf({}), async () => resolve()));

describe('Serial', () => {
  test('add() overtakes every message that waits', async () => {
    const { serial, done, push } = recording();
    serial.addMessage('m', heardOf({}), push('message 1'));
    serial.addMessage('m', heardOf({}), push('message 2'));
    serial.add('s', push('slot'));
    await settled(serial);
    expect(done).toEqual(['slot', 'message 1', 'message 2']);
  });

  test('addMessage() drops what a flood brings, and never a slot', async () => {
    const { serial, done, push } = recording();
    let handled = 0;
    for (let i = 0; i < 50_000; i++) {
      serial.addMessage('m', heardOf({}), async () => {
        handled += 1;
      });
    }
    serial.add('s', push('slot'));
    await new Promise<void>((resolve) => {
      const look = (): void => void (handled >= 2_000 ? resolve() : setImmediate(look));
      look();
    });
    expect(handled).toBe(2_000);
    expect(done).toEqual(['slot']);
  });

  test('addMessage() keeps 16 MiB in all and half of that of one kind, and reads none before its turn', async () => {
    const { serial } = recording();
    const handled: string[] = [];
    let finish = (): void => undefined;
    serial.add('hangs', () => new Promise((resolve) => (finish = resolve)));
    const add = (what: string): void =>
      serial.addMessage(
        what,
        { lenBytes: 1 << 20, read: () => handled.push(`${what} read`) },
        async () => void handled.push(what),
      );
    for (let i = 0; i < 100; i += 1) for (const what of ['a', 'b', 'c']) add(what);
    await new Promise(setImmediate);
    expect(handled).toEqual([]);
    finish();
    await serial.settled();
    const of = (what: string): number => handled.filter((each) => each === what).length;
    expect([of('a'), of('b'), of('c')]).toEqual([6, 5, 5]);
    expect(handled).toHaveLength(32);
    for (let i = 0; i < 100; i += 1) add('a');
    await serial.settled();
    expect(of('a')).toBe(6 + 8);
  });

  test('addMessage() passes over what is no JSON', async () => {
    const { serial, done, push } = recording();
    serial.addMessage('m', heardOf(undefined), push('garbage'));
    serial.addMessage('m', heardOf(null), push('null'));
    await serial.settled();
    expect(done).toEqual(['null']);
  });

  test('a task that fails does not stop the next', async () => {
    const { serial, done, push } = recording();
    serial.add('s', () => Promise.reject(new Error('broken')));
    serial.add('s', push('next'));
    await settled(serial);
    expect(done).toEqual(['next']);
  });

  test('close() waits for the task under way and runs no other', async () => {
    const { serial, done, push } = recording();
    let finish = (): void => undefined;
    let started = (): void => undefined;
    const running = new Promise<void>((resolve) => (started = resolve));
    serial.add('s', async () => {
      started();
      await new Promise<void>((resolve) => (finish = resolve));
      done.push('under way');
    });
    serial.add('s', push('never'));
    await running;
    const closed = serial.close();
    finish();
    await closed;
    serial.add('s', push('never'));
    expect(done).toEqual(['under way']);
  });
});
