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
  const desk = new MaidDesk(({ key, message, signature }, answer) => {
    verified += 1;
    pending.push(() => answer(verifyEd25519(key, message, signature, 'tokens')));
  });
  const answers: MaidAnswer[] = [];
  const judge = (t = token, e = endorsement, k = nodeKey): void =>
    desk.judge(t, e, k, (answer) => answers.push(answer));
  const settle = (): void => {
    for (let next = pending.shift(); next; next = pending.shift()) next();
  };
  return { judge, settle, answers, verifications: () => verified };
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

  it('judge() remembers nothing against a token that another node showed first', () => {
    const { judge, settle, answers } = deskThatCounts();
    judge(token, endorsement, generateSigningKey().public.ed25519);
    settle();
    judge();
    settle();
    expect(answers.map(({ kind }) => kind)).toEqual(['refused', 'genuine']);
  });
});
