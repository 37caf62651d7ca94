import { describe, expect, it } from 'vitest';
import { SkippingClock } from '#proxy/skippingClock.fixture.ts';
import { Inquiries, INQUIRY_MS } from './inquiries.ts';
import type { Log } from './log.ts';

function desk(find: (address: string) => Promise<boolean>) {
  const clock = new SkippingClock(true);
  const lines: string[] = [];
  const line = (event: string): void => void lines.push(event);
  const log: Log = { debug: line, info: line, warn: line, error: line };
  return { clock, lines, inquiries: new Inquiries(find, { clock, log }) };
}

describe('Inquiries', () => {
  it('ask() gives the answer to all who ask at once, and asks anew after it', async () => {
    const asked: string[] = [];
    const { inquiries } = desk((address) => {
      asked.push(address);
      return Promise.resolve(address === '10.0.0.1');
    });
    const all = ['10.0.0.1', '10.0.0.1', '10.0.0.2'].map((address) => inquiries.ask(address));
    expect(await Promise.all(all)).toEqual([true, true, false]);
    expect(asked).toEqual(['10.0.0.1', '10.0.0.2']);
    await inquiries.ask('10.0.0.1');
    expect(asked).toHaveLength(3);
  });

  it('ask() finds nothing, not even that it is nobody’s, where the search fails', async () => {
    const finds = [
      () => Promise.reject(new RangeError('no bus')),
      () => {
        throw new RangeError('not even a promise');
      },
      () => Promise.resolve(true),
    ];
    const { inquiries, lines } = desk(() => finds.shift()?.() ?? Promise.resolve(false));
    expect(await inquiries.ask('10.0.0.1')).toBeUndefined();
    expect(await inquiries.ask('10.0.0.1')).toBeUndefined();
    expect(await inquiries.ask('10.0.0.1')).toBe(true);
    expect(lines).toEqual(['plane.whereIs']);
  });

  it('ask() finds nothing where the search takes too long, and searches again', async () => {
    const searches: ((found: boolean) => void)[] = [];
    const { inquiries, clock } = desk(
      () =>
        new Promise((resolve) => {
          searches.push(resolve);
        }),
    );
    const late = inquiries.ask('10.0.0.1');
    clock.skip(INQUIRY_MS);
    expect(await late).toBeUndefined();
    const again = inquiries.ask('10.0.0.1');
    expect(searches).toHaveLength(2);
    searches[0]?.(false);
    searches[1]?.(true);
    expect(await again).toBe(true);
  });

  it('ask() searches for so many at once and no more', async () => {
    let searches = 0;
    const { inquiries, clock } = desk(() => {
      searches += 1;
      return new Promise(() => undefined);
    });
    const all = Array.from({ length: 16_385 }, (_, i) => inquiries.ask(`${i}`));
    expect(await all.at(-1)).toBeUndefined();
    expect(searches).toBe(16_384);
    clock.skip(INQUIRY_MS);
    await Promise.all(all);
    void inquiries.ask('later');
    expect(searches).toBe(16_385);
  });
});
