// Tests of the lines that connections leave in the log.
import { expect, it } from 'vitest';
import type { LaneClosed, LaneRefused } from '#proxy/facts.ts';
import { LaneEvents } from './laneEvents.ts';
import { createLog } from './log.ts';

const clock = { wallMs: () => 1_700_000_000_000, monoMs: () => 0, after: () => () => undefined };
const client = 'spiffe://example.org/demo/suite/client';
const server = 'spiffe://example.org/demo/suite/server';

function journal() {
  const lines: object[] = [];
  const write = (line: string): number => lines.push(JSON.parse(line) as object);
  const events = new LaneEvents(createLog({ level: 'info', clock, write }));
  return { lines, events };
}

const closed: LaneClosed = {
  at: 0,
  kind: 'closed',
  id: '0.7',
  direction: 'out',
  podUid: 'client',
  from: client,
  to: server,
  peer: 'node-b',
  destination: '198.19.2.10:8080',
  rule: 'suite/clients',
  reason: 'peer-reset',
  detail: 'application',
  bytesOut: 100,
  bytesIn: 2 ** 40,
  keyUpdates: 3,
  durationMs: 1234,
};

it('LaneEvents.take() writes the whole account of a connection at its end', () => {
  const { lines, events } = journal();
  events.take(closed, 0);
  const { at: _at, kind: _kind, ...account } = closed;
  expect(lines).toEqual([
    {
      level: 'info',
      at: '2023-11-14T22:13:20.000Z',
      event: 'lane.closed',
      ...account,
      text: `closed ${client} to ${server} (peer-reset: application)`,
    },
  ]);
});

it('LaneEvents.take() warns of a refusal, with what is known of its ends', () => {
  const { lines, events } = journal();
  const refused: LaneRefused = {
    at: 0,
    kind: 'refused',
    direction: 'out',
    destination: '192.0.2.1:80',
    reason: 'no-agent',
  };
  events.take(refused, 0);
  expect(lines).toMatchObject([
    { level: 'warn', event: 'lane.refused', text: 'refused unknown to 192.0.2.1:80 (no-agent)' },
  ]);
});

it('LaneEvents.dropped sums what has no line', () => {
  const { lines, events } = journal();
  events.take(closed, 0);
  events.take(closed, 40);
  events.take(closed, 2);
  expect(events.dropped).toBe(42);
  expect(lines.map((line) => ('dropped' in line ? line.dropped : 0))).toEqual([0, 40, 2]);
});
