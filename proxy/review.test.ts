import { expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { Conversation, type CutReason } from './conversation.ts';
import type { Passage } from './passage.ts';
import { Review } from './review.ts';
import type { Routes, Standing } from './routes.ts';

/** A lane with a peer that is heard under its first statement. */
class Talk extends Conversation {
  readonly standing: Standing = { podUids: ['pod'], peer: 'node-b' as NodeName };
  readonly account = { heard: 0, moved: 0 };
  heardUnder: string | undefined = 'old';
  isHeldBack = false;
  isBehind = false;
  isHalfClosed = false;
  readonly cuts: CutReason[] = [];
  get passage(): Passage {
    return this.account as Passage;
  }
  refresh(): void {
    // no keys here
  }
  cut(why: CutReason): void {
    this.cuts.push(why);
  }
}

const ROUTES: Pick<Routes, 'objection' | 'speaksAs'> = {
  objection: () => undefined,
  speaksAs: (_peer, sid) => sid === 'new',
};
const TERMS = { isPolicyNew: false, halfClosedMs: 3_600_000 };

function reviewOf(talk: Talk) {
  const clock = { nowMs: 0, monoMs: () => clock.nowMs };
  const review = new Review(clock);
  /** What it says at once and then each 10 s, `times` times; the last of it. */
  const pass = (times: number, meanwhile = (): void => undefined) => {
    let said = review.objection(talk, ROUTES, TERMS);
    for (let n = 0; n < times && said === undefined; n += 1) {
      clock.nowMs += 10_000;
      meanwhile();
      said = review.objection(talk, ROUTES, TERMS);
    }
    return said;
  };
  return { clock, pass };
}

it('Review cuts a lane that is heard under a replaced statement for more than 90 s', () => {
  const { pass } = reviewOf(new Talk());
  expect(pass(9)).toBeUndefined();
  expect(pass(1)).toBe('keys');
});

it('Review lets a lane go on that is heard under the new statement, or will not be heard again', () => {
  for (const heardUnder of ['new', undefined]) {
    const talk = new Talk();
    const { pass } = reviewOf(talk);
    expect(pass(8)).toBeUndefined();
    talk.heardUnder = heardUnder;
    expect(pass(30)).toBeUndefined();
  }
});

it('Review waits for a slow application, and 90 s more once it reads', () => {
  const talk = new Talk();
  const { pass } = reviewOf(talk);
  talk.isHeldBack = true;
  expect(pass(60)).toBeUndefined();
  talk.isHeldBack = false;
  expect(pass(9)).toBeUndefined();
  expect(pass(1)).toBe('keys');
});

it('Review waits for no more bytes under a replaced statement than can lie between two ends', () => {
  const talk = new Talk();
  const { pass } = reviewOf(talk);
  talk.isHeldBack = true; // at each look, whatever it does in between
  const speak = (): void => {
    talk.account.heard += 4 << 20;
  };
  expect(pass(15 + 9, speak)).toBeUndefined();
  expect(pass(1, speak)).toBe('keys');
});

it('Review ends what is half closed and still, counted from when it last moved', () => {
  const talk = new Talk();
  talk.heardUnder = 'new';
  const { clock, pass } = reviewOf(talk);
  clock.nowMs += 2 * TERMS.halfClosedMs;
  expect(pass(1)).toBeUndefined();
  talk.isHalfClosed = true;
  expect(pass(359)).toBeUndefined();
  talk.account.moved += 1;
  expect(pass(360)).toBeUndefined();
  expect(pass(1)).toBe('half-closed');
});

it('Review does not end what is half closed while an end is slow to read, nor before its time after that', () => {
  const talk = new Talk();
  talk.heardUnder = 'new';
  talk.isHalfClosed = true;
  talk.isBehind = true;
  const { pass } = reviewOf(talk);
  expect(pass(1000)).toBeUndefined();
  talk.isBehind = false;
  expect(pass(360)).toBeUndefined();
  expect(pass(1)).toBe('half-closed');
});
