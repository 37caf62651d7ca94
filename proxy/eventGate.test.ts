import { expect, it } from 'vitest';
import { EVENTS_PER_SECOND } from './control.ts';
import { EventGate } from './eventGate.ts';

it('EventGate.pass() lets so many a second through and tells how many it left out', () => {
  let nowMs = 0;
  const clock = { wallMs: () => 0, monoMs: () => nowMs, after: () => () => undefined };
  const gate = new EventGate(clock);
  const seen: number[] = [];
  const pass = (): void => gate.pass('refused', (dropped) => seen.push(dropped));
  for (let n = 0; n < EVENTS_PER_SECOND + 7; n += 1) pass();
  expect(seen).toEqual(Array<number>(EVENTS_PER_SECOND).fill(0));
  nowMs = 1000;
  gate.leftOut(3); // by a gate before this one
  pass();
  pass();
  expect(seen.slice(-2)).toEqual([10, 0]);
});
