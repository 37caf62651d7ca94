import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benchChart } from './chart.ts';
import type { FigureName } from './figures.ts';
import type { Machine } from './machine.ts';
import { commandOf } from './program.ts';
import { benchResult, medianOf, type Sample, type SubjectInfo } from './result.ts';
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
  subject('tunnel', 'tunnel'),
  subject('tidelock-steady', 'variant'),
];

/** One run a row: the values of direct, tidelock, slow, fast and tunnel. */
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
  benchResult({ command: 'bench', quick: false, machine, subjects, samples: found, failures: [] });

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
  it('compares medians with the best mutual-TLS peer, not with direct, a tunnel or the slow one', () => {
    const { verdicts } = resultOf(
      ...samples('bulk1', [80, 9, 5, 6, 70], [80, 12, 5, 8, 70], [80, 10, 5, 100, 70]),
    );
    expect(verdicts.bulk1).toMatchObject({ value: 1.25, against: 'fast' }); // 10 over 8
    expect(verdicts.bulk1.runs).toEqual([1.5, 1.5, 0.1]);
  });

  it('takes the least of what a peer uses for the best', () => {
    const { cpu1 } = resultOf(...samples('cpu1', [0, 3, 2, 4])).verdicts;
    expect(cpu1).toMatchObject({ value: 1.5, against: 'slow', better: 'low' });
  });

  it('compares what each adds to the direct round trip', () => {
    const { verdicts, summary } = resultOf(
      ...samples('rttP50', [20, 60, 100, 70]),
      ...samples('rttP99', [50, 200, 150, 300]),
    );
    expect(verdicts.rttAddedP50).toMatchObject({ value: 0.8, against: 'fast' }); // 40 over 50
    expect(verdicts.rttAddedP99).toMatchObject({ value: 1.5, against: 'slow' }); // 150 over 100
    const medians = summary['tidelock'];
    expect([medians?.rttAddedP50?.median, medians?.rttAddedP99?.median]).toEqual([40, 150]);
  });

  it('says whether floor and goal are met, at the bound too, and knows which way is better', () => {
    const meets = (...found: readonly Sample[]) => {
      const { bulk8, rttAddedP50, perLane } = resultOf(...found).verdicts;
      return [bulk8, rttAddedP50, perLane].map(({ meetsFloor, meetsGoal }) => [
        meetsFloor,
        meetsGoal,
      ]);
    };
    const all = (bulk: number, added: number, kib: number): Sample[] => [
      ...samples('bulk8', [50, bulk, 10, 5]),
      ...samples('rttP50', [20, 20 + added, 120, 220]),
      ...samples('perLane', [0, kib, 1, 1]),
    ];
    expect(meets(...all(11, 100, 20))).toEqual([
      [true, false],
      [true, false],
      [true, false],
    ]);
    expect(meets(...all(12, 80, 12))).toEqual([
      [true, true],
      [true, true],
      [true, true],
    ]);
    expect(meets(...all(10.9, 101, 20.1))).toEqual([
      [false, false],
      [false, false],
      [false, false],
    ]);
  });

  it('compares rotation with lanes that keep their keys, and adds the errors of all runs up', () => {
    const steady = (figure: FigureName, value: number): Sample => ({
      run: 1,
      subject: 'tidelock-steady',
      figure,
      value,
    });
    const { rotation, rotationErrors } = resultOf(
      ...samples('rotationP999', [0, 300], [0, 360], [0, 330]),
      steady('rotationP999', 300),
      ...samples('rotationErrors', [0, 0], [0, 2], [0, 1]),
      steady('rotationErrors', 5),
    ).verdicts;
    expect(rotation).toMatchObject({ value: 1.1, against: 'tidelock-steady', meetsGoal: true });
    expect(rotationErrors).toMatchObject({ value: 3, meetsFloor: false });
  });

  it('has no value where one side was not measured, or a peer adds nothing to direct', () => {
    const [, ...withoutLanes] = samples('connections', [9, 1, 2, 3]).filter(
      (sample) => sample.subject !== 'tidelock',
    );
    const unknown = { value: null, meetsFloor: null, meetsGoal: null };
    expect(resultOf(...withoutLanes).verdicts.connections).toMatchObject(unknown);
    expect(resultOf(...samples('connections', [9, 1])).verdicts.connections).toMatchObject(unknown);
    expect(resultOf(...samples('rttP99', [50, 90, 50, 50])).verdicts.rttAddedP99).toMatchObject(
      unknown,
    );
  });

  it('keeps every sample and gives the spread of each figure', () => {
    const found = samples('bulk8', [1, 2, 3, 4], [5, 6, 7, 8], [3, 9, 1, 4]);
    const result = resultOf(...found);
    expect(result.runs).toEqual(found);
    expect(result.summary['tidelock']?.bulk8).toEqual({ median: 6, min: 2, max: 9 });
  });
});

describe('commandOf()', () => {
  it('has every flag that was given but for where the files went', () => {
    const given = { runs: undefined, rotations: '100', quick: false, probes: true, out: 'DIR' };
    const lists = { only: ['bulk1', 'memory'], subjects: [] };
    expect(commandOf('lanes', { ...given, ...lists })).toBe(
      'npm run bench -- lanes --rotations 100 --probes --only bulk1,memory',
    );
    expect(commandOf('lanes', {})).toBe('npm run bench -- lanes');
  });
});

describe('benchPage()', () => {
  const result = benchResult({
    command: 'npm run bench -- lanes --rotations 100',
    quick: false,
    machine,
    subjects,
    samples: samples('connections', [33_000, 8000, 1000, 1600, 9000, 7900]),
    failures: [{ run: 1, subject: 'slow', step: 'bulk', message: 'it broke' }],
  });
  const page = benchPage(result, 'lanes.svg');

  it('shows the command, the verdict, every run and what failed', () => {
    expect(page).toContain('Made by `npm run bench -- lanes --rotations 100`. ');
    expect(page).toContain('| new connections | 5 |  | more | 3, met | 5, met | label of fast |');
    expect(page).toContain('| bulk, 1 flow | not measured |  | more | 1.25 | 1.4 |  |');
    expect(page).toContain('| new connections | tidelock | 8,000 |');
    expect(page).toContain('run 1, slow, bulk: it broke');
    expect(page).toContain('(lanes.svg)');
  });

  it('says by how much a bound is missed, and a variant over the lanes of which it is one', () => {
    const missed = benchPage(
      resultOf(...samples('bulk1', [80, 6, 2, 5, 9, 3], [80, 6, 2, 5, 9, 3])),
    );
    expect(missed).toContain(
      '| bulk, 1 flow | 1.2 | 1.2 to 1.2 | more | 1.25, **missed by 0.05** | 1.4, **missed by 0.2** | label of fast |',
    );
    expect(missed).toContain('| bulk, 1 flow, Gbit/s | 6.0 | 3.0, × 0.50 |');
  });

  it('gives a bound in the unit of its figure', () => {
    const heavy = resultOf(...samples('perLane', [0, 22, 1, 1], [0, 26, 1, 1]));
    expect(benchPage(heavy)).toContain(
      '| 24 KiB | 22 to 26 KiB | less | 20 KiB, **missed by 4 KiB** | 12 KiB, **missed by 12 KiB** |',
    );
  });

  it('gives no verdict of a quick run', () => {
    const quick = benchPage({ ...result, quick: true });
    expect(quick).toContain('Quick run: no verdict.');
    expect(quick).not.toMatch(/floor|goal/i);
    expect(quick).toContain('| new connections | tidelock | 8,000 |');
  });

  it('has rows of one width in every table', () => {
    const tables = page.split('\n\n').filter((part) => part.startsWith('|'));
    expect(tables.length).toBe(6);
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
    const all = benchChart(
      resultOf(...samples('connections', [33_000, 8000, 1000, 1600, 9000, 7900])),
    );
    const [, panel = ''] = all.split('new connections');
    expect([...panel.split('</g>')[0]!.matchAll(/<rect /g)].length).toBe(5);
    expect(all).toContain('>none</text>'); // the other figures
  });

  it('is well-formed whatever a subject is called', () => {
    const odd = benchResult({
      command: 'bench',
      quick: false,
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
