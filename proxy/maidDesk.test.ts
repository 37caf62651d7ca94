import { describe, expect, it } from 'vitest';
import { generateSigningKey, generateWorkloadKey, verifyEd25519 } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid, Slot, SpiffeId } from '#agent/base/brands.ts';
import { MaidDesk, type MaidAnswer } from './maidDesk.ts';
import { signEndorsement, signToken } from './maid.ts';

const node = generateSigningKey();
const workload = generateWorkloadKey();
const sid = 'ab'.repeat(16) as Sid;
const spiffeId = 'spiffe://example.org/c/ns/sa' as SpiffeId;
const none = Buffer.alloc(32);
const token = signToken(
  {
    slot: 5 as Slot,
    alias: none.subarray(0, 16),
    sid,
    node: 'a' as NodeName,
    spiffeId,
    podUid: 'p',
    imageDigest: '',
    evidenceDigest: none,
    prev: none,
    history: none,
  },
  (message) => workload.sign(message),
);
const endorsement = signEndorsement(
  { workloadKey: workload.public, sid, spiffeId, podUid: 'p' },
  (message) => node.ed25519(message, 'tokens'),
);
const nodeKey = node.public.ed25519;

function deskThatCounts() {
  const pending: (() => void)[] = [];
  let verified = 0;
  const clock = { nowMs: 0, monoMs: () => clock.nowMs };
  const desk = new MaidDesk(({ key, message, signature }, answer) => {
    verified += 1;
    pending.push(() => answer(verifyEd25519(key, message, signature, 'tokens')));
  }, clock);
  const answers: MaidAnswer[] = [];
  const judge = (t = token, e = endorsement, k = nodeKey, peer = 'a'): void =>
    desk.judge({ peer: peer as NodeName, token: t, endorsement: e, nodeKey: k }, (answer) =>
      answers.push(answer),
    );
  const settle = (): void => {
    for (let next = pending.shift(); next; next = pending.shift()) next();
  };
  return { judge, settle, answers, clock, verifications: () => verified };
}

describe('MaidDesk', () => {
  it('judge() verifies each signature once, for all who wait and all who come later', () => {
    const { judge, settle, answers, verifications } = deskThatCounts();
    judge();
    judge();
    settle();
    judge();
    expect(answers.map(({ kind }) => kind)).toEqual(['genuine', 'genuine', 'genuine']);
    expect(verifications()).toBe(2);
  });

  it('judge() refuses a wrong endorsement, a wrong token and what is neither', () => {
    const { judge, settle, answers } = deskThatCounts();
    const flipLast = (b: Buffer): Buffer => {
      const bad = Buffer.from(b);
      bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
      return bad;
    };
    judge(token, flipLast(endorsement));
    settle();
    judge(flipLast(token));
    settle();
    judge(Buffer.from('x'));
    expect(answers).toEqual([
      { kind: 'refused', reason: 'bad-endorsement' },
      { kind: 'refused', reason: 'bad-token' },
      { kind: 'refused', reason: 'bad-token' },
    ]);
  });

  /** As many MAIDs as asked for whose endorsements are of nobody, each another. */
  const invented = (count: number, from = 0): Buffer[] =>
    Array.from({ length: count }, (_, n) => {
      const bad = Buffer.from(endorsement);
      bad.writeUInt32BE(from + n, bad.length - 4);
      return bad;
    });

  it('judge() verifies a bounded number of what one peer invents, and goes on to hear the others', () => {
    const { judge, settle, answers, clock, verifications } = deskThatCounts();
    for (const bad of invented(5000)) judge(token, bad);
    expect(verifications()).toBe(512); // asked for and not answered
    settle();
    for (const bad of invented(5000, 5000)) {
      judge(token, bad);
      settle();
    }
    expect(verifications()).toBe(1024);
    expect(answers.filter(({ kind }) => kind === 'busy')).toHaveLength(10_000 - 1024);
    judge(token, endorsement, nodeKey, 'b');
    settle();
    expect(answers.at(-1)?.kind).toBe('genuine');
    judge(token, endorsement, nodeKey, 'a'); // what is known is no question
    expect(answers.at(-1)?.kind).toBe('genuine');
    clock.nowMs = 1000;
    const before = verifications();
    for (const bad of invented(1000, 20_000)) {
      judge(token, bad);
      settle();
    }
    expect(verifications() - before).toBe(256);
  });

  it('judge() keeps the answers in use, whatever malformed and refused ones come', () => {
    const { judge, settle, clock, verifications } = deskThatCounts();
    judge();
    settle();
    for (let n = 0; n < 10_000; n += 1) judge(Buffer.from(`malformed ${n}`));
    for (const bad of invented(1500)) {
      clock.nowMs += 10;
      judge(token, bad);
      settle();
    }
    expect(verifications()).toBe(2 + 1500);
    judge();
    expect(verifications()).toBe(2 + 1500);
  });

  it('judge() remembers nothing against a token that another node showed first', () => {
    const { judge, settle, answers } = deskThatCounts();
    judge(token, endorsement, generateSigningKey().public.ed25519);
    settle();
    judge();
    settle();
    expect(answers.map(({ kind }) => kind)).toEqual(['refused', 'genuine']);
  });
});
