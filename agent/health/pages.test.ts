// Pages as many callers ask for them: made once a second, and present again after it.
import { describe, expect, it } from 'vitest';
import { COUNTER_NAMES, type CounterTotals } from '#proxy/counters.ts';
import { healthPages, PAGE_KEPT_MS, type PageSources } from './pages.ts';
import { statusFixture } from './status.fixture.ts';

function pages() {
  const world = { nowMs: 0, statuses: 0, ready: true };
  const from: PageSources = {
    status: () => {
      world.statuses += 1;
      return statusFixture();
    },
    readiness: () => ({ ready: world.ready, checks: [] }),
    totals: () => Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as CounterTotals,
    eventsDropped: () => 0,
    canary: () => ({ passed: 0, failed: 0, last: undefined, silent: new Map(), problem: '' }),
    clock: { wallMs: () => world.nowMs, monoMs: () => world.nowMs, after: () => () => undefined },
  };
  return { world, pages: healthPages(from) };
}

describe('healthPages()', () => {
  it.each(['/metrics', '/readyz'])('%s is made once a second, however many ask', async (path) => {
    const { world, pages: by } = pages();
    const ask = async () => by[path]?.();
    const asked = await Promise.all(Array.from({ length: 150 }, ask));
    world.nowMs = PAGE_KEPT_MS - 1;
    asked.push(await ask());
    expect(new Set(asked).size).toBe(1);
    expect(world.statuses).toBe(1);
    world.nowMs = PAGE_KEPT_MS;
    await ask();
    expect(world.statuses).toBe(2);
  });

  it('/readyz tells of a node that is ready no more', async () => {
    const { world, pages: by } = pages();
    expect(await by['/readyz']?.()).toMatchObject({ code: 200 });
    world.ready = false;
    world.nowMs = PAGE_KEPT_MS;
    expect(await by['/readyz']?.()).toMatchObject({ code: 503 });
  });
});
