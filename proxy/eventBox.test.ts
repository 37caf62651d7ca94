import { expect, it } from 'vitest';
import { EVENTS_PER_SECOND, type EventBatch } from './control.ts';
import { EventBox } from './eventBox.ts';
import type { LaneRefused } from './facts.ts';

const tell = (detail: string): Omit<LaneRefused, 'at'> => ({
  direction: 'in',
  kind: 'refused',
  reason: 'policy',
  detail,
});

function box(): {
  readonly events: EventBox;
  readonly sent: EventBatch[];
  readonly pass: (ms: number) => void;
} {
  let nowMs = 0;
  let due: { readonly atMs: number; readonly run: () => void } | undefined;
  const sent: EventBatch[] = [];
  const clock = {
    wallMs: () => 1000.5 + nowMs,
    monoMs: () => nowMs,
    after: (ms: number, run: () => void) => {
      const mine = { atMs: nowMs + ms, run };
      due = mine;
      return () => {
        if (due === mine) due = undefined;
      };
    },
  };
  return {
    events: new EventBox(clock, 50, (batch) => sent.push(batch)),
    sent,
    pass: (ms) => {
      nowMs += ms;
      if (!due || due.atMs > nowMs) return;
      const { run } = due;
      due = undefined;
      run();
    },
  };
}

it('EventBox sends what happened within a moment as one message, each with its own time', () => {
  const { events, sent, pass } = box();
  events.note('refused', () => tell('a'));
  pass(20);
  events.note('refused', () => tell('b'));
  expect(sent).toEqual([]);
  pass(40);
  expect(sent).toEqual([
    {
      events: [
        { ...tell('a'), at: 1000 },
        { ...tell('b'), at: 1020 },
      ],
      dropped: 0,
    },
  ]);
  pass(500);
  expect(sent).toHaveLength(1);
});

it('EventBox.send() sends at once what waits, and nothing twice', () => {
  const { events, sent, pass } = box();
  events.send();
  expect(sent).toEqual([]);
  events.note('refused', () => tell('a'));
  events.send();
  pass(500);
  expect(sent).toHaveLength(1);
});

it('EventBox tells how many it left out with the next that it sends', () => {
  const { events, sent, pass } = box();
  for (let n = 0; n < EVENTS_PER_SECOND + 7; n += 1) events.note('refused', () => tell('x'));
  pass(1000);
  events.note('refused', () => tell('y'));
  events.send();
  expect(sent.map((batch) => [batch.events.length, batch.dropped])).toEqual([
    [EVENTS_PER_SECOND, 0],
    [1, 7],
  ]);
});
