import { expect, test } from 'vitest';
import type { NodeName, Slot } from '#agent/base/brands.ts';
import { Quota } from './quota.ts';

const [A, B, C] = ['node-a', 'node-b', 'node-c'] as [NodeName, NodeName, NodeName];
const [ONE, TWO] = [1, 2] as [Slot, Slot];

test('take() lets each node have its own part of a slot, and all of them no more than there is', () => {
  const quota = new Quota(2, 3);
  const taken = (node: NodeName, slot: Slot): number =>
    Array.from({ length: 5 }, () => quota.take(node, slot)).filter(Boolean).length;
  expect([A, B, C].map((node) => taken(node, ONE))).toEqual([2, 1, 0]);
  expect([C, B, A].map((node) => taken(node, TWO))).toEqual([2, 1, 0]);
});
