// For tests: a node that is well, with two pods of its own and a peer that serves a third, and a question
// about them.
import { expect } from 'vitest';
import { whySchema, type LinkId } from '#agent/api/why.ts';
import type { ChainId, NodeName, Sid, SpiffeId } from '#agent/base/brands.ts';
import { BY_DEFAULT } from '#proxy/redirect/plaintext.fixture.ts';
import { whyOf } from './chain.ts';
import type { PeerFacts, PodFacts, WhyFacts } from './facts.ts';
import { readQuestion } from './question.ts';

export const NOW = 1_700_000_000_000;
export const id = (account: string): SpiffeId =>
  `spiffe://example.org/prod/shop/${account}` as SpiffeId;

export const web: PodFacts = {
  uid: 'uid-web',
  namespace: 'shop',
  name: 'web-0',
  spiffeId: id('web'),
  ips: ['198.19.1.10'],
  netns: { path: '/run/netns/web' },
  captured: true,
};
export const cart: PodFacts = {
  ...web,
  uid: 'uid-cart',
  name: 'cart-0',
  spiffeId: id('cart'),
  ips: ['198.19.1.11'],
};
export const db = { uid: 'uid-db', spiffeId: id('db'), ips: ['198.19.2.10'] };
export const nodeB: PeerFacts = {
  node: 'node-b' as NodeName,
  accepted: { verdict: 'affirming', expiresInMs: 600_000 },
  lane: { address: '198.18.0.12', port: 15_008 },
  pods: [db],
  send: {
    chainId: 'c'.repeat(32) as ChainId,
    ownSid: 'a'.repeat(32) as Sid,
    peerSid: 'b'.repeat(32) as Sid,
  },
  algorithm: 'KMAC256/AES-256-GCM',
};
export const facts: WhyFacts = {
  node: 'node-a' as NodeName,
  nowMs: NOW,
  pods: [web, cart],
  rules: 'intact',
  dataPlane: { state: 'running', pid: 7, restarts: 0 },
  self: { verdict: 'affirming', reason: '', admitted: true },
  peers: [nodeB],
  policy: {
    version: 1,
    defaultAction: 'DENY',
    rules: [{ name: 'shop/0', from: id('web'), to: id('db'), ports: [5432] }],
  },
  policyMode: 'enforce',
  unmeshed: 'refuse',
  unmeshedExcept: [],
  services: [],
  outside: { settings: BY_DEFAULT, refused: [] },
  epochs: { state: 'in-step', text: 'records come' },
  reach: {},
  connections: { live: 2, openedAt: NOW - 5_000 },
};

export const ask = (change: Partial<WhyFacts>, to?: string, pod = 'shop/web-0') => {
  const why = whyOf({ ...facts, ...change }, readQuestion(pod, to));
  expect(whySchema.strict().parse(why)).toEqual(why);
  return why;
};
export const brokenAt = (why: ReturnType<typeof ask>): LinkId | undefined =>
  why.links.find(({ state }) => state === 'broken')?.id;
