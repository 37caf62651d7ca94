// Scrapes read by a parser of our own for the text format, for every state an agent can be in.
import { closeSync, openSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { statusFixture } from '#agent/health/status.fixture.ts';
import { CLOSES, COUNTER_NAMES, REFUSALS, type CounterTotals } from '#proxy/counters.ts';
import { FAMILIES, type Sample } from './families.ts';
import { processUse } from './processes.ts';
import { renderMetrics } from './render.ts';

const NOW = 1_700_000_000_000;
const totals = (from: number): CounterTotals =>
  Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, from + i])) as CounterTotals;

const sample = (change: Partial<Sample> = {}): Sample => ({
  status: statusFixture(),
  totals: totals(1000),
  eventsDropped: 5,
  isReady: true,
  canary: {
    passed: 3,
    failed: 1,
    last: { atMs: NOW - 4000, monoMs: 0, peer: { node: 'secret-peer' as NodeName, tookMs: 12 } },
    silent: new Map(),
    problem: '',
  },
  processes: {
    control: { cpuSeconds: 1.5, residentBytes: 2 ** 27, openFds: 40, maxFds: 1024 },
    data: undefined,
  },
  nowMs: NOW,
  ...change,
});

interface Scrape {
  readonly help: Map<string, string>;
  readonly type: Map<string, string>;
  /** By `name` or `name{label="value"}`. */
  readonly values: Map<string, number>;
}

/** The grammar of exposition format 0.0.4, as far as no value here needs an escape. */
function parse(text: string): Scrape {
  const scrape: Scrape = { help: new Map(), type: new Map(), values: new Map() };
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const meta = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (meta) {
      const [, kind, name = '', rest = ''] = meta;
      (kind === 'HELP' ? scrape.help : scrape.type).set(name, rest);
      continue;
    }
    const [, key = '', value] =
      /^([a-z_]+(?:\{[a-z]+="[^"\\]*"\})?) (-?[0-9.e+]+)$/.exec(line) ?? [];
    expect(key, line).not.toBe('');
    expect(scrape.values.has(key), `${key} twice`).toBe(false);
    scrape.values.set(key, Number(value));
  }
  return scrape;
}

describe('renderMetrics()', () => {
  it('renderMetrics() gives help, type and the values of every family', async () => {
    const { help, type, values } = parse(await renderMetrics(sample()));
    for (const family of FAMILIES) {
      expect(help.get(family.name), family.name).toBe(family.help);
      expect(type.get(family.name), family.name).toBe(family.type);
    }
    expect(values.get('tidelock_traffic_bytes_total{direction="out"}')).toBe(
      1000 + COUNTER_NAMES.indexOf('bytesOut'),
    );
    for (const reason of REFUSALS) {
      expect(values.get(`tidelock_connections_refused_total{reason="${reason}"}`)).toBe(
        1000 + COUNTER_NAMES.indexOf(`refused.${reason}`),
      );
    }
    for (const reason of CLOSES) {
      expect(values.get(`tidelock_connections_closed_total{reason="${reason}"}`)).toBe(
        1000 + COUNTER_NAMES.indexOf(`closed.${reason}`),
      );
    }
    expect(values.get('tidelock_canary_age_seconds')).toBe(4);
    expect(values.get('tidelock_canary_seconds')).toBe(0.012);
    expect(values.get('tidelock_node_verdict{verdict="affirming"}')).toBe(1);
    expect(values.get('tidelock_node_verdict{verdict="none"}')).toBe(0);
    expect(values.get('tidelock_pods{state="captured"}')).toBe(1);
    expect(values.get('tidelock_process_open_fds{process="control"}')).toBe(40);
    expect(values.has('tidelock_process_open_fds{process="data"}')).toBe(false);
  });

  it('renderMetrics() leaves out what is not known, and invents no zero', async () => {
    const { canary } = sample();
    const never = { ...canary, last: undefined };
    const { values } = parse(await renderMetrics(sample({ canary: never })));
    expect(values.has('tidelock_canary_age_seconds')).toBe(false);
    expect(values.has('tidelock_canary_seconds')).toBe(false);
  });

  it('renderMetrics() names no pod, peer, address or identity', async () => {
    const text = await renderMetrics(sample());
    for (const secret of ['secret-pod', 'secret-peer', 'spiffe:', '198.51.100']) {
      expect(text).not.toContain(secret);
    }
  });
});

describe('processUse()', () => {
  it('processUse() reads a process that runs, and knows of none that does not', async () => {
    const own = Array.from({ length: 30 }, () => openSync('/dev/null', 'r'));
    const before = (await processUse(process.pid))?.openFds ?? 0;
    for (const fd of own.splice(20)) closeSync(fd);
    const use = await processUse(process.pid);
    for (const fd of own) closeSync(fd);
    expect(use?.residentBytes).toBeGreaterThan(10 << 20);
    // A thread of Node's pool may open or close one of its own meanwhile.
    expect(Math.abs(before - (use?.openFds ?? 0) - 10)).toBeLessThanOrEqual(2);
    const now = readdirSync('/proc/self/fd').length - 1; // it has the folder open
    expect(Math.abs((use?.openFds ?? 0) - now - 20)).toBeLessThanOrEqual(2);
    expect(use?.maxFds).toBeGreaterThan(use?.openFds ?? 0);
    const { user, system } = process.cpuUsage();
    expect(use?.cpuSeconds).toBeLessThanOrEqual((user + system) / 1e6 + 0.1);
    expect(await processUse(2 ** 22 + 1)).toBeUndefined();
  });
});
