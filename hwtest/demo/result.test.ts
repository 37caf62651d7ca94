import { describe, expect, test } from 'vitest';
import { createLatencies } from './latency.ts';
import type { Traffic } from './load.ts';
import { cleanedText, demoResult, resultText, type Observed } from './result.ts';
import { sampleStatus } from './sampleStatus.ts';

const traffic: Traffic = {
  requests: 1_000,
  failures: 0,
  bytes: 5_000,
  breaches: 0,
  failed: [],
  latencies: createLatencies(),
};
const found = (hits: number) => ({ packets: 200, hits, hitsInPackets: hits, hitsInFlows: hits });

const good: Observed = {
  nodes: [
    { status: sampleStatus('node-a'), report: '/reports/node-a.json' },
    { status: sampleStatus('node-b'), report: '/reports/node-b.json' },
  ],
  traffic,
  control: found(6),
  wire: { ...found(0), dropped: 0 },
  busServer: 'nats-server 2.9.10',
  leftovers: 0,
};

const contraindicated = sampleStatus('node-b');

describe('demoResult()', () => {
  test('demoResult() is ok when everything held, and gives the figures', () => {
    const result = demoResult(good);
    expect(Object.keys(result).slice(0, 2)).toEqual(['apiVersion', 'kind']);
    expect(result).toMatchObject({
      ok: true,
      epochs: { periodMs: 5_000, slots: 12, chains: 9 },
      lanes: { opened: 100, refused: 10 },
      asymmetric: { total: 40, statements: 30, tokens: 10 },
      wire: { packets: 200, plaintextHits: 0, controlHits: 6 },
      cleanup: { leftovers: 0 },
    });
    expect(result.epochs.algorithms).toHaveLength(2);
    expect(result.nodes[0]).toEqual({
      name: 'node-a',
      verdict: 'affirming',
      pcrs: [
        { pcr: 0, value: 'aa' },
        { pcr: 11, value: 'bb' },
      ],
      report: '/reports/node-a.json',
    });
  });

  test.each<[string, Partial<Observed>]>([
    ['a failed request', { traffic: { ...traffic, failures: 1 } }],
    ['an answer to the stranger', { traffic: { ...traffic, breaches: 1 } }],
    ['plain text on the wire', { wire: { ...found(1), dropped: 0 } }],
    ['a capture that lost packets', { wire: { ...found(0), dropped: 1 } }],
    ['a control run that found nothing', { control: found(0) }],
    ['something left over', { leftovers: 1 }],
    [
      'a node that is not affirming',
      {
        nodes: [
          {
            status: {
              ...contraindicated,
              node: { ...contraindicated.node, verdict: 'contraindicated' },
            },
            report: '',
          },
        ],
      },
    ],
  ])('demoResult() is not ok after %s', (_, change) => {
    const result = demoResult({ ...good, ...change });
    expect(result.ok).toBe(false);
    expect(resultText(result)).toMatch(/^NOT everything held/);
    expect(resultText(result)).toMatch(/^! /m);
  });

  test('resultText() marks nothing when everything held', () => {
    expect(resultText(demoResult(good))).not.toMatch(/^!/m);
  });
});

describe('cleanedText()', () => {
  test('cleanedText() tells nothing to do from something done and something left', () => {
    expect(cleanedText({ removed: [], leftovers: 0 })).toBe('nothing to remove');
    expect(cleanedText({ removed: ['00112233'], leftovers: 0 })).toMatch(/^removed 1 .* 0 things/);
    expect(cleanedText({ removed: [], leftovers: 2 })).toMatch(/^removed 0 .* 2 things/);
  });
});
