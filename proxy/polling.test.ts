// Tests of when a loop polls instead of sleeping.
import { describe, expect, it } from 'vitest';
import { POLL_MS, Polling } from './polling.ts';

describe('Polling', () => {
  it('sleeps at first, and polls once a sleep was shorter than a poll', () => {
    const polling = new Polling();
    expect(polling.isWorthwhile).toBe(false);
    polling.slept(POLL_MS * 2);
    expect(polling.isWorthwhile).toBe(false);
    polling.slept(POLL_MS / 2);
    expect(polling.isWorthwhile).toBe(true);
  });

  it('goes on polling while it finds something', () => {
    const polling = new Polling();
    polling.slept(0);
    for (let i = 0; i < 1000; i += 1) polling.polled(i % 3 === 0);
    expect(polling.isWorthwhile).toBe(true);
  });

  it('gives up after a few polls in vain, however much it found before', () => {
    const polling = new Polling();
    polling.slept(0);
    for (let i = 0; i < 1000; i += 1) polling.polled(true);
    let polls = 0;
    for (; polling.isWorthwhile; polls += 1) polling.polled(false);
    expect(polls).toBe(4);
    for (let i = 0; i < 1000; i += 1) polling.slept(POLL_MS); // what comes this rarely is worth no poll
    expect(polling.isWorthwhile).toBe(false);
  });

  it('trusts short sleeps no further than polls that found something', () => {
    const polling = new Polling();
    for (let i = 0; i < 1000; i += 1) polling.slept(0);
    for (let i = 0; i < 4; i += 1) polling.polled(false);
    expect(polling.isWorthwhile).toBe(false);
  });

  it('leaves a processor that it shares alone for long, and then tries again', () => {
    const polling = new Polling();
    polling.slept(0);
    polling.crowded();
    let sleeps = 0;
    for (; !polling.isWorthwhile; sleeps += 1) polling.slept(0);
    expect(sleeps).toBe(1001);
  });
});
