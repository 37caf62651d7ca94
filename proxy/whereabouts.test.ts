import { describe, expect, it } from 'vitest';
import { SkippingClock } from './skippingClock.fixture.ts';
import { ANSWER_WITHIN_MS, Whereabouts, type Finding } from './whereabouts.ts';

interface Asked {
  readonly id: number;
  readonly address: string;
}

function desk() {
  const clock = new SkippingClock(true);
  const asked: Asked[] = [];
  const whereabouts = new Whereabouts(clock, 100, (id, address) => asked.push({ id, address }));
  const heard: (readonly [who: string, finding: Finding])[] = [];
  /** What takes it back; nothing where it was not put. */
  const ask = (pod: string, address: string, who = address): (() => void) => {
    const put = whereabouts.ask(pod, address, (finding) => heard.push([who, finding]));
    if (typeof put === 'function') return put;
    heard.push([who, put]);
    return () => undefined;
  };
  return { clock, asked, whereabouts, heard, ask };
}

const addresses = (prefix: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.${prefix}.${i >> 8}.${i & 255}`);
const failed = (finding: Finding | undefined): string =>
  finding && 'failed' in finding ? finding.failed : 'nothing failed';

describe('Whereabouts', () => {
  it('ask() sends one question for an address, and its answer to all who wait', () => {
    const { whereabouts, asked, heard, ask } = desk();
    ask('p', '10.0.0.1', 'first');
    ask('q', '10.0.0.1', 'second');
    ask('p', '10.0.0.2');
    expect(asked).toEqual([
      { id: 101, address: '10.0.0.1' },
      { id: 102, address: '10.0.0.2' },
    ]);
    whereabouts.answer(101, true);
    expect(heard).toEqual([
      ['first', { isKnown: true }],
      ['second', { isKnown: true }],
    ]);
    whereabouts.answer(101, false);
    whereabouts.answer(77, false);
    expect(heard).toHaveLength(2);
    ask('p', '10.0.0.1');
    expect(asked).toHaveLength(3);
  });

  it('isNobodys() for some seconds after it was said so, and after nothing else', () => {
    const { whereabouts, asked, heard, ask, clock } = desk();
    for (const address of addresses(0, 3)) ask('p', address);
    whereabouts.answer(101, false);
    whereabouts.answer(102, true);
    whereabouts.answer(103, undefined);
    expect(addresses(0, 3).map(whereabouts.isNobodys)).toEqual([true, false, false]);
    expect(failed(heard[2]?.[1])).toBe('whose 10.0.0.2 is could not be learned in time');
    clock.skip(3000);
    expect(whereabouts.isNobodys('10.0.0.0')).toBe(false);
    ask('p', '10.0.0.0');
    expect(asked).toHaveLength(4);
  });

  it('isNobodys() of the newest 4,096', () => {
    const { whereabouts, ask, asked } = desk();
    const all = addresses(0, 4097);
    for (const [index, address] of all.entries()) {
      ask(`pod-${index}`, address);
      whereabouts.answer(asked.at(-1)?.id ?? 0, false);
    }
    expect(all.filter(whereabouts.isNobodys)).toEqual(all.slice(1));
  });

  it('ask() ends without an answer in time, and what comes later is nobody’s answer', () => {
    const { whereabouts, heard, ask, clock } = desk();
    ask('p', '10.0.0.1');
    clock.skip(ANSWER_WITHIN_MS - 500);
    expect(heard).toEqual([]);
    clock.skip(500);
    expect(heard).toHaveLength(1);
    expect(failed(heard[0]?.[1])).toBe('whose 10.0.0.1 is could not be learned in time');
    whereabouts.answer(101, false);
    expect(whereabouts.isNobodys('10.0.0.1')).toBe(false);
    expect(heard).toHaveLength(1);
  });

  it('ask() puts at most 256 questions of a pod at once, whoever waits for them', () => {
    const { whereabouts, asked, heard, ask, clock } = desk();
    const takeBack = addresses(0, 256).map((address) => ask('p', address));
    clock.skip(1001);
    ask('p', '10.0.0.7', 'of its own');
    ask('q', '10.1.0.0', 'of another pod');
    ask('p', '10.1.0.0', 'asked by another pod');
    expect(heard).toEqual([]);
    ask('p', '10.2.0.0', 'one too many');
    expect(heard.map(([who]) => who)).toEqual(['one too many']);
    expect(failed(heard[0]?.[1])).toMatch(/^too many addresses .* whose 10\.2\.0\.0 is$/);
    expect(asked).toHaveLength(257);
    takeBack[0]?.();
    whereabouts.answer(102, true);
    ask('p', '10.2.0.1');
    ask('p', '10.2.0.2');
    ask('p', '10.2.0.3');
    expect(asked.slice(257).map(({ address }) => address)).toEqual(['10.2.0.1', '10.2.0.2']);
  });

  it('ask() puts at most 256 questions of a pod in a second, however fast the answers come', () => {
    const { whereabouts, asked, heard, ask, clock } = desk();
    const known = (address: string): void => {
      ask('p', address);
      whereabouts.answer(asked.at(-1)?.id ?? 0, true);
    };
    for (const address of addresses(0, 257)) known(address);
    expect(asked).toHaveLength(256);
    expect(heard.filter(([, finding]) => 'failed' in finding)).toHaveLength(1);
    clock.skip(1001);
    known('10.1.0.0');
    expect(asked).toHaveLength(257);
  });

  it('ask() puts at most 1,024 questions at once', () => {
    const { asked, heard, ask, clock } = desk();
    for (let pod = 0; pod < 5; pod += 1) {
      for (const address of addresses(pod, 250)) ask(`pod-${pod}`, address);
    }
    expect(asked).toHaveLength(1024);
    expect(heard).toHaveLength(250 * 5 - 1024);
    clock.skip(ANSWER_WITHIN_MS);
    ask('pod-4', '10.9.0.0');
    expect(asked).toHaveLength(1025);
  });

  it('a question that nobody waits for any more is over', () => {
    const { whereabouts, asked, heard, ask } = desk();
    const first = ask('p', '10.0.0.1', 'first');
    const second = ask('p', '10.0.0.1', 'second');
    first();
    whereabouts.answer(101, true);
    expect(heard).toEqual([['second', { isKnown: true }]]);
    second();
    ask('p', '10.0.0.1')();
    whereabouts.answer(102, false);
    expect(heard).toHaveLength(1);
    expect(whereabouts.isNobodys('10.0.0.1')).toBe(false);
    ask('p', '10.0.0.1');
    expect(asked.map(({ id }) => id)).toEqual([101, 102, 103]);
  });

  it('askAgain() sends what is open once more and forgets what is nobody’s; the time limit stays', () => {
    const { whereabouts, asked, heard, ask, clock } = desk();
    ask('p', '10.0.0.1');
    ask('p', '10.0.0.2');
    whereabouts.answer(101, false);
    clock.skip(2000);
    whereabouts.askAgain();
    expect(asked.slice(2)).toEqual([{ id: 102, address: '10.0.0.2' }]);
    expect(whereabouts.isNobodys('10.0.0.1')).toBe(false);
    clock.skip(1001);
    expect(heard).toHaveLength(2);
  });

  it('a waiter may ask on from within its answer', () => {
    const { whereabouts, asked } = desk();
    const findings: Finding[] = [];
    whereabouts.ask('p', '10.0.0.1', () => {
      whereabouts.ask('p', '10.0.0.1', (finding) => findings.push(finding));
    });
    whereabouts.answer(101, false);
    expect(findings).toEqual([]);
    whereabouts.answer(102, true);
    expect(findings).toEqual([{ isKnown: true }]);
    expect(asked).toHaveLength(2);
  });

  it('close() tells nobody anything', () => {
    const { whereabouts, heard, ask, clock } = desk();
    ask('p', '10.0.0.1');
    whereabouts.close();
    clock.skip(ANSWER_WITHIN_MS);
    whereabouts.answer(101, true);
    expect(heard).toEqual([]);
  });
});
