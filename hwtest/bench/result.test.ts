import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benchChart } from './chart.ts';
import type { Machine } from './machine.ts';
import { benchResult, medianOf, type FigureName, type Sample, type SubjectInfo } from './result.ts';
import { benchPage } from './table.ts';

const machine: Machine = {
  processor: 'test',
  cores: 2,
  memoryGib: 8,
  kernel: '6.1',
  isVirtual: true,
  programs: { node: 'v26' },
  offloads: { 'tcp-segmentation-offload': 'on' },
  mtu: 1500,
  loadAverage: 0.1,
};
const subject = (name: string, kind: SubjectInfo['kind']): SubjectInfo => ({
  name,
  label: `label of ${name}`,
  kind,
});
const subjects = [
  subject('direct', 'direct'),
  subject('tidelock', 'lanes'),
  subject('slow', 'mtls'),
  subject('fast', 'mtls'),
];

/** One run a row: the values of direct, tidelock, slow and fast. */
const samples = (figure: FigureName, ...runs: readonly (readonly number[])[]): Sample[] =>
  runs.flatMap((values, run) =>
    values.map((value, i) => ({
      run: run + 1,
      subject: subjects[i]?.name ?? '',
      figure,
      value,
    })),
  );
const resultOf = (...found: readonly Sample[]) =>
  benchResult({ machine, subjects, samples: found, failures: [] });

describe('medianOf()', () => {
  it('has as many values below it as above it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const median = medianOf(values);
        const below = values.filter((value) => value < median).length;
        const above = values.filter((value) => value > median).length;
        expect(Math.max(below, above) * 2).toBeLessThanOrEqual(values.length);
      }),
    );
  });

  it('is the mean of the two middle ones of an even number', () => {
    expect(medianOf([4, 1, 3, 2])).toBe(2.5);
  });
});

describe('benchResult()', () => {
  it('compares medians with the best mutual-TLS peer, not with direct or the slow one', () => {
    const { ratios, against } = resultOf(
      ...samples('bulk1', [80, 9, 5, 6], [80, 12, 5, 8], [80, 10, 5, 100]),
    );
    expect(ratios.bulk1).toBe(1.25); // 10 over 8
    expect(against.bulk1).toBe('fast');
  });

  it('compares what each adds to the direct round trip, the least of the peers being the best', () => {
    const { ratios, against } = resultOf(...samples('rttP50', [20, 60, 100, 70]));
    expect(ratios.rttAdded).toBe(0.8); // 40 over 50
    expect(against.rttAdded).toBe('fast');
  });

  it('says null for a ratio of which one side was not measured', () => {
    const [, ...withoutLanes] = samples('connections', [9, 1, 2, 3]).filter(
      (sample) => sample.subject !== 'tidelock',
    );
    expect(resultOf(...withoutLanes).ratios.connections).toBeNull();
    expect(resultOf(...samples('connections', [9, 1])).against.connections).toBeNull();
  });

  it('keeps every sample and gives the spread of each figure', () => {
    const found = samples('bulk8', [1, 2, 3, 4], [5, 6, 7, 8], [3, 9, 1, 4]);
    const result = resultOf(...found);
    expect(result.runs).toEqual(found);
    expect(result.summary['tidelock']?.bulk8).toEqual({ median: 6, min: 2, max: 9 });
  });
});

describe('benchPage()', () => {
  const result = benchResult({
    machine,
    subjects,
    samples: samples('connections', [33_000, 8000, 1000, 1600]),
    failures: [{ run: 1, subject: 'slow', message: 'it broke' }],
  });
  const page = benchPage(result, 'lanes.svg');

  it('shows the ratio, every run and what failed', () => {
    expect(page).toContain('| new connections | 5.00 | label of fast |');
    expect(page).toContain('| bulk, 1 flow | not measured |  |');
    expect(page).toContain('| new connections | tidelock | 8,000 |');
    expect(page).toContain('run 1, slow: it broke');
    expect(page).toContain('(lanes.svg)');
  });

  it('has rows of one width in every table', () => {
    const tables = page.split('\n\n').filter((part) => part.startsWith('|'));
    expect(tables.length).toBe(4);
    for (const table of tables) {
      const widths = new Set(
        table
          .trim()
          .split('\n')
          .map((row) => row.split('|').length),
      );
      expect(widths.size).toBe(1);
    }
  });
});

describe('benchChart()', () => {
  it('draws a bar for each subject that was measured and says which was not', () => {
    const all = benchChart(resultOf(...samples('connections', [33_000, 8000, 1000, 1600])));
    const [, panel = ''] = all.split('new connections');
    expect([...panel.split('</g>')[0]!.matchAll(/<rect /g)].length).toBe(4);
    expect(all).toContain('>none</text>'); // the other figures
  });

  it('is well-formed whatever a subject is called', () => {
    const odd = benchResult({
      machine,
      subjects: [subject('<&>', 'mtls')],
      samples: [{ run: 1, subject: '<&>', figure: 'bulk1', value: 1 }],
      failures: [],
    });
    const svg = benchChart(odd);
    expect(svg).toContain('&lt;&amp;&gt;');
    const opened = [...svg.matchAll(/<(svg|g|text)[ >]/g)].length;
    expect([...svg.matchAll(/<\/(svg|g|text)>/g)].length).toBe(opened);
  });
});
