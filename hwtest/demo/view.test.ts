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
    expect(text).toMatch(/node-a \*\s+affirming\s+1000\s+00112233 1\.7/);
    expect(text).toMatch(/node-b\s+silent/);
    expect(text).toContain('100 requests (2/s), 0 failed');
    expect(text).not.toContain('\x1b[2J');
    expect(text.indexOf('agent.start')).toBeLessThan(text.indexOf('epoch 7'));
  });

  test('draw() writes plain lines, and few, where there is no terminal', () => {
    const written = draw(undefined, [frame(0), frame(1_000), frame(9_999), frame(10_000)]);
    expect(written).toHaveLength(2);
    expect(written.join('')).not.toContain('\x1b');
  });
});
