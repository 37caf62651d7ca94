import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createLatencies } from './latency.ts';
import { sampleStatus } from './sampleStatus.ts';
import { createView, type Frame } from './view.ts';

const frame = (elapsedMs: number): Frame => ({
  elapsedMs,
  nodes: [
    {
      name: 'node-a',
      status: sampleStatus('node-a', {
        peers: [
          {
            node: 'node-b',
            address: '198.18.0.12',
            verdict: 'affirming',
            reason: '',
            sendChain: '00112233445566778899aabbccddeeff',
          },
        ],
        events: [
          { at: 2_000, level: 'info', code: 'epoch.new', text: 'epoch 7\x1b[2J\nbegins' },
          { at: 1_000, level: 'info', code: 'agent.start', text: '' },
        ],
      }),
    },
    { name: 'node-b', status: undefined },
  ],
  traffic: {
    requests: 100,
    failures: 0,
    bytes: 2_048,
    breaches: 0,
    failed: [],
    latencies: createLatencies(),
  },
});

const draw = (columns: number | undefined, frames: readonly Frame[]): string[] => {
  const written: string[] = [];
  const view = createView({ columns, write: (text) => void written.push(text) });
  for (const each of frames) view.draw(each);
  return written;
};

describe('createView()', () => {
  test('draw() goes back over exactly the lines that it drew before', () => {
    const [first = '', second = ''] = draw(120, [frame(1_000), frame(2_000)]);
    const lines = first.split('\n').length - 1;
    expect(first).not.toContain(`\x1b[${lines}A`);
    expect(second.startsWith(`\x1b[${lines}A`)).toBe(true);
  });

  test('draw() keeps every line shorter than the terminal is wide', () => {
    const [text = ''] = draw(40, [frame(1_000)]);
    for (const line of stripVTControlCharacters(text).split('\n')) {
      expect(line.length).toBeLessThan(40);
    }
  });

  test('draw() shows nodes, silence, traffic, and events by age without control characters', () => {
    const [text = ''] = draw(200, [frame(65_000)]);
    expect(text).toContain('01:05');
    expect(text).toMatch(/node-a \*\s+affirming\s+1000\s+3\s+50\s+5\s+1\.5 KiB/);
    expect(text).toContain('chain 00112233 1.7  HKDF-SHA-512/AES-256-GCM');
    expect(text).toMatch(/node-b\s+silent/);
    expect(text).toContain('100 requests (2/s), 0 failed');
    expect(text).not.toContain('\x1b[2J');
    expect(text.indexOf('agent.start')).toBeLessThan(text.indexOf('epoch 7'));
  });

  test('draw() shows every figure of a busy cluster whole in 80 columns', () => {
    const { lanes, node, epochs } = sampleStatus('node-a');
    const status = sampleStatus('node-a', {
      peers: frame(0).nodes[0]?.status?.peers ?? [],
      node: { ...node, verdict: 'contraindicated' },
      epochs: { ...epochs, slot: 1_777_777_777 },
      lanes: { ...lanes, active: 1_234, openedOut: 7_654_321, sameNode: 0, bytesIn: 2 ** 40 },
    });
    const traffic = { ...frame(0).traffic, requests: 7_654_321, failures: 54_321, bytes: 2 ** 40 };
    const [text = ''] = draw(80, [
      { elapsedMs: 1_000, nodes: [{ name: 'node-a', status }], traffic },
    ]);
    const lines = stripVTControlCharacters(text).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);
    const row = 'node-a \\* +contraindicated +1777777777 +1234 +7654321 +5 +1.0 TiB';
    expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${row}$`)));
    expect(lines.join(' ')).toContain('7654321 requests (7654321/s), 54321 failed');
    expect(lines.join(' ')).toMatch(/p99 0\.0 ms, 1\.0 TiB received/);
  });

  test('draw() follows the width, and clears everything once when it changes', () => {
    const written: string[] = [];
    const widths = [120, 60, 60];
    let drawn = 0;
    const screen = {
      get columns() {
        return widths[drawn];
      },
      write: (text: string) => void written.push(text),
    };
    const view = createView(screen);
    for (; drawn < widths.length; drawn += 1) view.draw(frame(1_000));
    const [, changed = '', same = ''] = written;
    expect(changed.startsWith('\x1b[H\x1b[2J')).toBe(true);
    expect(same.startsWith(`\x1b[${changed.split('\n').length - 1}A`)).toBe(true);
    for (const line of stripVTControlCharacters(changed).split('\n')) {
      expect(line.length).toBeLessThan(60);
    }
  });

  test('draw() folds what one node repeats, and leaves the trust domain out', () => {
    const text = 'refused spiffe://demo.tidelock/demo/a to spiffe://demo.tidelock/demo/b (policy)';
    const said = (at: number, what: string) =>
      ({ at, level: 'warn', code: 'lane.refused', text: what }) as const;
    const repeated = Array.from({ length: 12 }, (_, i) => said(1_000 * i, text));
    const status = sampleStatus('node-a', { events: [...repeated, said(5_500, 'other')] });
    const nodes = [
      { name: 'node-a', status },
      { name: 'node-b', status: sampleStatus('node-b', { events: [said(6_000, text)] }) },
    ];
    const [wide = ''] = draw(80, [{ ...frame(1_000), nodes }]);
    const events = stripVTControlCharacters(wide).trimEnd().split('\n').slice(-3);
    expect(events).toEqual([
      '00:00:05  node-a  other',
      '00:00:06  node-b  refused demo/a to demo/b (policy)',
      '00:00:11  node-a  refused demo/a to demo/b (policy) x12',
    ]);
    const [narrow = ''] = draw(44, [{ ...frame(1_000), nodes }]);
    expect(narrow).toContain('00:00:11  node-a  refused demo/a to … x12');
  });

  test('draw() writes plain lines, and few, where there is no terminal', () => {
    const written = draw(undefined, [frame(0), frame(1_000), frame(9_999), frame(10_000)]);
    expect(written).toHaveLength(2);
    expect(written.join('')).not.toContain('\x1b');
  });
});
