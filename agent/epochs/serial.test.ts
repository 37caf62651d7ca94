import { describe, expect, test } from 'vitest';
import type { Log } from '#agent/log.ts';
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
  new Promise((resolve) => serial.addMessage('last', async () => resolve()));

describe('Serial', () => {
  test('add() overtakes every message that waits', async () => {
    const { serial, done, push } = recording();
    serial.addMessage('m', push('message 1'));
    serial.addMessage('m', push('message 2'));
    serial.add('s', push('slot'));
    await settled(serial);
    expect(done).toEqual(['slot', 'message 1', 'message 2']);
  });

  test('addMessage() drops what a flood brings, and never a slot', async () => {
    const { serial, done, push } = recording();
    let handled = 0;
    for (let i = 0; i < 50_000; i++) {
      serial.addMessage('m', async () => {
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
