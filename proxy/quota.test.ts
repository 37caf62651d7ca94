import { describe, expect, it } from 'vitest';
import { clearLanes, Quota, quotaMemory } from './quota.ts';
import { NO_SEAT, Seats, SEATS } from './seats.ts';

const clockAt = (startMs: number) => {
  const clock = { nowMs: startMs, wallMs: () => clock.nowMs };
  return clock;
};
const START_MS = 1_800_000_000_000;

/** Two workers of one data plane. */
function workers(clock = clockAt(START_MS)) {
  const memory = quotaMemory(2);
  const make = (worker: number): Quota => {
    const quota = new Quota(memory, worker, clock);
    quota.allow(['a', 'b'], { lanes: 3, openingsPerSecond: 10 });
    return quota;
  };
  return { memory, clock, make, one: make(0), other: make(1) };
}
/** How many openings pass before one does not. */
function drain(...quotas: readonly Quota[]): number {
  for (let taken = 0; ; taken += 1) {
    const quota = quotas[taken % quotas.length];
    if (!quota?.takeOpening(quota.seatOf('a'))) return taken;
  }
}

describe('Quota', () => {
  it('isFull() counts the lanes of all workers, of each name for itself', () => {
    const { one, other } = workers();
    const seat = one.seatOf('a');
    one.count(seat, 1);
    one.count(seat, 1);
    expect(other.isFull(seat)).toBe(false);
    other.count(seat, 1);
    expect([one, other].map((quota) => quota.isFull(seat))).toEqual([true, true]);
    expect(one.isFull(one.seatOf('b'))).toBe(false);
    one.count(seat, -1);
    expect(other.isFull(seat)).toBe(false);
  });

  it('a worker that starts again has no lanes, and the others keep theirs', () => {
    const { one, other, make } = workers();
    const seat = one.seatOf('a');
    for (let lanes = 0; lanes < 2; lanes += 1) one.count(seat, 1);
    other.count(seat, 1);
    const again = make(0);
    expect(again.isFull(seat)).toBe(false);
    again.count(seat, 1);
    again.count(seat, 1);
    expect(again.isFull(seat)).toBe(true);
  });

  it('clearLanes() takes those of a worker that ended from the count, and no others', () => {
    const { memory, one, other } = workers();
    const seat = other.seatOf('a');
    for (let lanes = 0; lanes < 2; lanes += 1) one.count(seat, 1);
    for (let lanes = 0; lanes < 2; lanes += 1) other.count(seat, 1);
    clearLanes(memory, 0);
    expect(other.isFull(seat)).toBe(false);
    other.count(seat, 1);
    expect(other.isFull(seat)).toBe(true);
  });

  it('takeOpening() gives all workers together a second’s worth at once, then as time passes', () => {
    const { one, other, clock } = workers();
    expect(drain(one, other)).toBe(10);
    clock.nowMs += 99;
    expect(drain(other)).toBe(0);
    clock.nowMs += 1;
    expect(drain(other)).toBe(1);
    clock.nowMs += 250;
    expect(drain(one)).toBe(2);
    clock.nowMs += 3_600_000;
    expect(drain(one)).toBe(10);
    expect(other.takeOpening(other.seatOf('b'))).toBe(true);
  });

  it('takeOpening() is not stopped by a clock that is set, nor by the end of its numbers', () => {
    const { one, clock } = workers();
    drain(one);
    clock.nowMs -= 60_000;
    expect(drain(one)).toBe(10);
    for (let hours = 0; hours < 5; hours += 1) {
      clock.nowMs += 1_037_000; // not a part of the 2^32 microseconds after which they repeat
      expect(drain(one)).toBe(10);
    }
  });

  it('what is not known, and what has no allowance, is not limited', () => {
    const quota = new Quota(quotaMemory(1), 0, clockAt(START_MS));
    expect(quota.seatOf('a')).toBe(NO_SEAT);
    quota.count(NO_SEAT, 1);
    expect([quota.takeOpening(NO_SEAT), quota.isFull(NO_SEAT)]).toEqual([true, false]);
    quota.allow(['a']);
    const seat = quota.seatOf('a');
    for (let n = 0; n < 1000; n += 1) {
      quota.count(seat, 1);
      expect([quota.takeOpening(seat), quota.isFull(seat)]).toEqual([true, false]);
    }
  });
});

describe('Seats', () => {
  const names = Array.from({ length: 3000 }, (_, n) => `pod-${n}`);

  it('retain() gives every name a number of its own, in whatever order they come', () => {
    const [one, other] = [new Seats(), new Seats()];
    one.retain(names);
    other.retain(names.toReversed());
    const seats = names.map((name) => one.of(name));
    expect(new Set(seats).size).toBe(names.length);
    expect(seats.every((seat) => seat >= 0 && seat < SEATS)).toBe(true);
    expect(names.map((name) => other.of(name))).toEqual(seats);
  });

  it('retain() forgets a name that is gone, and lets the others be where they were', () => {
    const seats = new Seats();
    const few = names.slice(0, 20);
    seats.retain(few);
    const before = few.map((name) => seats.of(name));
    seats.retain([...few.slice(1), 'another']);
    expect(seats.of('pod-0')).toBe(NO_SEAT);
    expect(few.slice(1).map((name) => seats.of(name))).toEqual(before.slice(1));
  });

  it('retain() of more names than there are numbers lets some share one', () => {
    const seats = new Seats();
    const many = Array.from({ length: SEATS + 10 }, (_, n) => `pod-${n}`);
    seats.retain(many);
    expect(many.every((name) => seats.of(name) !== NO_SEAT)).toBe(true);
  });
});
