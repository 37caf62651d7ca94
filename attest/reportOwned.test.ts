// What a report says of its enrolment where two agents made it; those by owners are in reportVerify.test.ts.
import { expect, test } from 'vitest';
import { generateSigningKey, signingKeyId } from '#agent/base/asymmetric.ts';
import {
  ENDORSED_MS,
  endorsedBy,
  owner,
  payloadOf,
  PLACE,
  POLICY,
} from '#attest/testdata/endorsed.ts';
import { signPolicy } from './policy.ts';
import { ownersWord } from './reportOwned.ts';

const policy = signPolicy({ ...PLACE, ...POLICY, issuedAt: ENDORSED_MS, algorithms: [1] }, owner);
const enrolment = endorsedBy();
const owners = [owner.public];

test('ownersWord() names the agents that endorsed an enrolment, and the owner who lets them', () => {
  const word = ownersWord({ enrolment, policy }, owners);
  const keyId = signingKeyId(owner.public);
  expect(word).toMatchObject({ owner: keyId, endorsedBy: ['node-a', 'node-b'] });
  expect(word.enrolment).toEqual(payloadOf());
  expect(word.checks.map(({ result }) => result)).toEqual(['pass', 'pass', 'pass']);
  expect(word.checks[0]?.text).toBe(
    `The TPMs of node-a and node-b signed it, to whom owner ${keyId} delegated it.`,
  );
});

test('ownersWord() believes no enrolment by two agents without an owner to believe', () => {
  const word = ownersWord({ enrolment, policy }, []);
  expect(word.checks[0]).toMatchObject({ result: 'not checked', ceiling: 'none' });
  expect(word.endorsedBy).toEqual([]);
});

test('ownersWord() fails one that was changed, and one that its owners did not allow', () => {
  const changed = { ...enrolment, payload: payloadOf({ issuedAt: ENDORSED_MS + 1 }) };
  const stranger = generateSigningKey().public;
  for (const [document, by] of [
    [changed, owners],
    [enrolment, [stranger]],
    [{ ...enrolment, payload: {} }, owners],
  ] as const) {
    const word = ownersWord({ enrolment: document, policy }, by);
    expect(word.checks[0]).toMatchObject({ result: 'fail', ceiling: 'contraindicated' });
    expect(word.owner).toBeUndefined();
    expect(word.endorsedBy).toEqual([]);
  }
});

test('ownersWord() holds it against the policy beside it', () => {
  const stricter = signPolicy(
    { ...PLACE, ...POLICY, enforce: [0, 4, 7, 11], issuedAt: ENDORSED_MS, algorithms: [1] },
    owner,
  );
  const word = ownersWord({ enrolment, policy: stricter }, owners);
  expect(word.checks[0]).toMatchObject({ result: 'fail' });
});
