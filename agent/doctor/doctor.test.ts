// Tests of how checks are run: side by side, in bounded time, one after those it needs, and what their
// results add up to. The checks here are made up; the real ones are shown by hwtest/suites/70-doctor.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { run } from '#agent/base/run.ts';
import { fail, pass, skip, warn, type Check, type Finding } from './check.ts';
import { CHECKS } from './checks.ts';
import { openContext, type Context } from './context.ts';
import { examine, exitOf, type Result } from './doctor.ts';
import { limitsBeyond } from './host.ts';
import { whereWanted } from './tracing.ts';
import { explanationText, resultsText } from './text.ts';

const explanation = {
  looksAt: 'Nothing.',
  neededFor: 'This test.',
  usualCause: 'the usual cause',
  remedy: 'the remedy',
};

const check = (id: string, find: Check['run'], over: Partial<Check> = {}): Check => ({
  id,
  title: `title of ${id}`,
  explanation,
  exit: EXIT.missing,
  needs: [],
  run: find,
  ...over,
});

const finding = (found: Finding) => async () => found;
const never = (): Promise<Finding> => new Promise(() => undefined);

async function examined(
  checks: readonly Check[],
  signal = new AbortController().signal,
): Promise<readonly Result[]> {
  const sources = { file: 'none.yaml', env: {}, cwd: '/' };
  await using context = openContext({ sources, clock: systemClock, run, signal });
  return examine(checks, { context, clock: systemClock, signal, onWaiting: () => undefined });
}

describe('examine()', () => {
  test('examine() gives every result, in the order of the checks', async () => {
    const results = await examined([
      check('slow', async () => new Promise((resolve) => setImmediate(() => resolve(pass('a'))))),
      check('quick', finding(warn('b', 'c', 'd'))),
    ]);
    expect(results).toEqual([
      {
        id: 'slow',
        title: 'title of slow',
        state: 'pass',
        observed: 'a',
        tookMs: expect.any(Number),
      },
      {
        id: 'quick',
        title: 'title of quick',
        state: 'warn',
        observed: 'b',
        cause: 'c',
        remedy: 'd',
        tookMs: expect.any(Number),
      },
    ]);
  });

  test('examine() takes an error for a fail with its own hint and exit code, and goes on', async () => {
    const error = new TidelockError('BUS_DENIED', {
      op: 'x',
      message: 'Cannot do it: no',
      hint: 'do that',
    });
    const results = await examined([
      check('denied', () => Promise.reject(error)),
      check('broken', () => Promise.reject(new TypeError('a defect'))),
      check('good', finding(pass('fine'))),
    ]);
    expect(results).toMatchObject([
      {
        state: 'fail',
        observed: 'Cannot do it: no',
        cause: 'the usual cause',
        remedy: 'do that',
        exit: 2,
      },
      { state: 'fail', observed: expect.stringContaining('a defect'), exit: 1 },
      { state: 'pass' },
    ]);
  });

  test('examine() ends a check that does not end, with the time it had', async () => {
    const [hung, other] = await examined([
      check('hung', never, { limitMs: 20 }),
      check('other', finding(pass('fine'))),
    ]);
    expect(hung).toMatchObject({ state: 'fail', observed: 'no answer within 0.02 s', exit: 5 });
    expect(other).toMatchObject({ state: 'pass' });
  });

  test('examine() tells a check that its time is over', async () => {
    const told = Promise.withResolvers<boolean>();
    const deaf = async (_: unknown, signal: AbortSignal): Promise<Finding> => {
      signal.addEventListener('abort', () => told.resolve(true));
      return never();
    };
    await examined([check('deaf', deaf, { limitMs: 20 })]);
    expect(await told.promise).toBe(true);
  });

  test('examine() skips what needs a check that failed or was skipped, and says which', async () => {
    const results = await examined([
      check('a', finding(fail('x', 'y', 'z'))),
      check('b', finding(skip('not here'))),
      check('c', finding(warn('x', 'y', 'z'))),
      check('needs-a', never, { needs: ['c', 'a'] }),
      check('needs-b', never, { needs: ['b'] }),
      check('needs-needs-a', never, { needs: ['needs-a'] }),
      check('needs-c', finding(pass('runs')), { needs: ['c'] }),
    ]);
    expect(results.slice(3).map(({ state, observed }) => [state, observed])).toEqual([
      ['skip', 'needs the check a, which did not pass'],
      ['skip', 'needs the check b, which did not pass'],
      ['skip', 'needs the check needs-a, which did not pass'],
      ['pass', 'runs'],
    ]);
  });

  test('examine() is over at once when it is interrupted', async () => {
    const stop = new AbortController();
    const examining = examined([check('hung', never)], stop.signal);
    stop.abort();
    const results = await examining;
    expect(results).toMatchObject([{ state: 'skip', observed: 'interrupted' }]);
    expect(exitOf(results, true)).toBe(EXIT.internal);
  });
});

describe('exitOf()', () => {
  const result = (exit?: Result['exit']): Result => ({
    ...pass('x'),
    id: 'x',
    title: 'x',
    tookMs: 0,
    ...(exit === undefined ? {} : { exit }),
  });

  test.each<[readonly Result['exit'][], number]>([
    [[], 0],
    [[undefined], 0],
    [[5], 5],
    [[5, 6, 3], 6],
    [[1, 5], 5],
    [[3, 2], 2],
  ])('exitOf() of fails with %j is %i', (exits, expected) => {
    expect(exitOf(exits.map(result), false)).toBe(expected);
  });
});

describe('CHECKS', () => {
  test('CHECKS has each id once, and each check after those it needs', () => {
    const ids = CHECKS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [i, { id, needs }] of CHECKS.entries()) {
      for (const need of needs) expect(ids.slice(0, i), `${id} needs ${need}`).toContain(need);
    }
  });

  test('CHECKS all fail or are skipped, each by itself, where nothing is configured', async () => {
    const documents = CHECKS.filter(({ id, needs }) => id === 'config' || needs.includes('config'));
    const results = await examined(documents);
    expect(results[0]).toMatchObject({ id: 'config', state: 'fail', exit: 2 });
    for (const { id, state } of results.slice(1)) expect(state, id).toBe('skip');
  });

  test('docs/doctor.md lists every check once, and no other', () => {
    const doc = readFileSync(`${import.meta.dirname}/../../docs/doctor.md`, 'utf8');
    const listed = Array.from(doc.matchAll(/^\| `([a-z0-9-]+)` \|/gm), ([, id]) => id);
    expect(listed).toEqual(CHECKS.map(({ id }) => id));
  });

  test('explanationText() says of every check what, why, cause and remedy', () => {
    for (const each of CHECKS) {
      const text = explanationText(each);
      for (const part of Object.values(each.explanation)) {
        expect(part.length, each.id).toBeGreaterThan(20);
        expect(text).toContain(part);
      }
    }
  });
});

describe('limitsBeyond()', () => {
  const limits = { perPodLanes: 100, perPeerLanes: 200 };

  test.each([
    [200, []],
    [199, ['lanes.limits.perPeerLanes (200)']],
    [99, ['lanes.limits.perPodLanes (100)', 'lanes.limits.perPeerLanes (200)']],
  ])('limitsBeyond() names each cap above a room of %i', (room, named) => {
    expect(limitsBeyond(limits, room)).toEqual(named);
  });
});

describe('whereWanted()', () => {
  const asked = check('probes', finding(pass('looked')));
  const configured = (config: Promise<unknown>) => ({ config: () => config }) as Context;
  const found = (config: Promise<unknown>) =>
    whereWanted(asked).run(configured(config), new AbortController().signal);

  test('whereWanted() looks unless the configuration switches probes off', async () => {
    expect(await found(Promise.resolve({ probes: { enabled: true } }))).toEqual(pass('looked'));
    expect(await found(Promise.reject(new Error('unreadable')))).toEqual(pass('looked'));
    expect(await found(Promise.resolve({ probes: { enabled: false } }))).toEqual(
      skip('probes.enabled is false'),
    );
  });
});

describe('resultsText()', () => {
  const results: readonly Result[] = [
    { ...pass('fine'), id: 'a', title: 'first', tookMs: 3 },
    { ...fail('bad', 'because', 'do this'), id: 'long-id', title: 'second', tookMs: 4, exit: 6 },
  ];

  test('resultsText() gives cause and remedy to what is not good', () => {
    expect(resultsText(results, false).split('\n')).toEqual([
      'ok    a        fine',
      'FAIL  long-id  bad',
      '               cause:  because',
      '               remedy: do this',
      '',
      '1 passed, 0 to look at, 1 failed, 0 skipped; tidelock doctor explain ID says more',
    ]);
  });

  test('resultsText() keeps a finding of several lines in its column', () => {
    const [first] = results;
    if (first === undefined) throw new RangeError('there are results');
    const lines = resultsText([{ ...first, id: 'config', observed: 'bad\n  a: b' }], false);
    expect(lines.split('\n').slice(0, 2)).toEqual(['ok    config  bad', '                a: b']);
  });

  test('resultsText() adds title and time when asked to be verbose', () => {
    expect(resultsText(results, true)).toContain('               looked at: first, 3 ms');
  });
});
