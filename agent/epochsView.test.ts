// Tests of what `GET /epochs` says in each state of the epoch plane.
import { describe, expect, it } from 'vitest';
import { epochsSchema } from '#agent/api/epochs.ts';
import { epochsText } from '#agent/api/epochsText.ts';
import { slotAt, type NodeName } from '#agent/base/brands.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { ChainKeeper } from '#agent/epochs/keeper.ts';
import { PeerBook } from '#agent/epochs/peers.ts';
import {
  appraisalOf,
  drawNode,
  NOW_MS,
  NOW_SLOT,
  PERIOD_MS,
  presenceBy,
  recordBy,
  ROOT,
} from '#agent/epochs/records.fixture.ts';
import { epochsOf, type EpochsSources } from './epochsView.ts';

const MAX_STALENESS_MS = 30 * 60_000;
const B = 'node-b' as NodeName;

const a = drawNode('node-a');
const b = drawNode('node-b');
const c = drawNode('node-c');
const first = recordBy(a, { atSlot: slotAt(NOW_MS - 9 * PERIOD_MS, PERIOD_MS) }).record;
const second = recordBy(a, {
  kind: 'epoch',
  epoch: 2,
  parent: first.chainId,
  prev: first.hash,
  rootCommit: undefined,
  algorithm: 7,
  atSlot: slotAt(NOW_MS + 2 * PERIOD_MS, PERIOD_MS),
}).record;

/** A member of a cluster of three in step; `change` says what is different. */
function sources(change: Partial<EpochsSources> = {}): EpochsSources {
  const keeper = new ChainKeeper({ maxStalenessMs: MAX_STALENESS_MS });
  keeper.accept(first);
  keeper.giveRoot(first.hash, ROOT);
  keeper.accept(second);
  keeper.advance(NOW_MS);
  const peers = new PeerBook();
  for (const { statement } of [b, c]) {
    const entry = {
      v: 1,
      statement: '',
      evidenceDigest: '0'.repeat(64),
      verdict: 'affirming',
      level: 'tpm',
      receipt: { conductor: a.statement.sid, at: NOW_MS },
      expiresAt: NOW_MS + 60_000,
    } as const;
    const listedBy = first;
    peers.accept(statement.node, {
      statement,
      entry,
      appraisal: appraisalOf('affirming'),
      listedBy,
    });
  }
  const said = { ...presenceBy(b, 1), clockOffsetMs: 3 };
  peers.hear(said, [first.chainId], NOW_MS - 1_000);
  return {
    config: {
      node: 'node-a' as NodeName,
      epochs: {
        periodMs: PERIOD_MS,
        maxStalenessSeconds: 1_800,
        onStale: 'closed',
        knowAllUpTo: 500,
        lease: 'bus',
      },
    },
    plane: { admitted: true, stale: false, seen: { slots: 9, chains: 2, algorithms: [1, 7] } },
    keeper,
    peers,
    own: { listed: [{ own: a, listedBy: first }] },
    bus: { connected: true, server: 'nats-server 2.9.10 at 198.18.0.2:4222', problem: undefined },
    conductor: { leading: false },
    lease: { holder: undefined, kept: 'bus', problem: undefined },
    follower: { newest: second, silenceMs: 1_200, accepted: 9, refused: 1 },
    slots: { timeMs: () => NOW_MS, untilNextMs: () => 3_200 },
    events: { events: () => [] },
    maxStalenessMs: MAX_STALENESS_MS,
    renewMs: 600_000,
    ...change,
  };
}

describe('epochsOf()', () => {
  it('epochsOf() gives chains newest first, with who holds each and who does not yet', () => {
    const epochs = epochsSchema.strict().parse(epochsOf(sources()));
    expect(epochs).toMatchObject({
      state: 'in-step',
      conductor: 'node-a',
      isConductor: false,
      term: 1,
      generation: 1,
      epoch: 1,
      slot: NOW_SLOT,
      nextSlotInMs: 3_200,
      healsWithinMs: 1_200_000,
      records: { accepted: 9, refused: 1, ageMs: 1_200 },
      chainsLeftOut: 0,
      chains: [
        { id: second.chainId, state: 'next', inEffectInMs: 2 * PERIOD_MS, confirmedBy: [] },
        { id: first.chainId, state: 'newest', confirmedBy: ['node-b'], awaiting: ['node-c'] },
      ],
    });
    expect(epochs.chains[0]?.algorithm).not.toBe(epochs.chains[1]?.algorithm);
    expect(epochs.staleness).toEqual({
      maxMs: MAX_STALENESS_MS,
      onStale: 'closed',
    });
  });

  it('epochsOf() says of each peer which chain lanes to it use and when it was heard', () => {
    expect(epochsOf(sources()).peers).toEqual([
      {
        node: 'node-b',
        verdict: 'affirming',
        sendChain: first.chainId,
        behind: 0,
        presenceAgeMs: 1_000,
        clockOffsetMs: 3,
        epochsBehind: 1,
        lagMs: 12 * PERIOD_MS - 1_000,
      },
      { node: 'node-c', verdict: 'affirming', sendChain: first.chainId, behind: 0 },
    ]);
    const peers = new PeerBook();
    peers.refuse(B, 'node-b is not in the roster');
    expect(epochsOf(sources({ peers })).peers).toEqual([
      { node: 'node-b', verdict: 'none', refused: 'node-b is not in the roster' },
    ]);
  });

  const silent = (silenceMs: number) => ({
    follower: { newest: second, silenceMs, accepted: 9, refused: 0 },
  });
  const none = { follower: { newest: undefined, silenceMs: Infinity, accepted: 0, refused: 0 } };
  const away = {
    bus: {
      connected: false,
      server: undefined,
      problem: new TidelockError('BUS_UNREACHABLE', { op: 'x', message: 'Cannot x', hint: 'y' }),
    },
  };
  const plane = (change: object) => ({ plane: { ...sources().plane, ...change } });

  it.each([
    ['waiting', none, /no conductor has published one yet/],
    ['waiting', { ...none, ...away }, /the bus is not reachable/],
    ['waiting', { ...none, ...plane({ stale: true }) }, /first epoch record/],
    ['outage', silent(16_000), /nobody conducts, no epoch record for 16 s; .* for 29 min more/],
    ['outage', away, /the bus is not reachable/],
    ['stale', { ...silent(2_000_000), ...plane({ stale: true }) }, /live lanes are cut/],
    ['not-admitted', plane({ admitted: false }), /does not list this node/],
    ['behind', { keeper: new ChainKeeper({ maxStalenessMs: 1 }) }, /not here yet/],
  ] as const)('epochsOf() is %s in state %#', (state, change, text) => {
    const epochs = epochsOf(sources(change));
    expect(epochs).toMatchObject({ state, text: expect.stringMatching(text) });
    expect(epochsSchema.safeParse(epochs).success).toBe(true);
  });

  it('epochsOf() says how long an outage may still last', () => {
    expect(epochsOf(sources(silent(60_000))).staleness.inMs).toBe(MAX_STALENESS_MS - 60_000);
    expect(epochsOf(sources(silent(MAX_STALENESS_MS + 1))).staleness.inMs).toBe(0);
  });

  it('epochsOf() keeps the last events about epochs and leaves those about lanes out', () => {
    const event = (code: string, at: number) => ({ at, level: 'warn', code, text: code }) as const;
    const kept = Array.from({ length: 20 }, (_, i) => event('record.refused', i));
    const events = { events: () => [event('lane.refused', 0), ...kept, event('BUS_DENIED', 99)] };
    const shown = epochsOf(sources({ events })).events;
    expect(shown).toHaveLength(12);
    expect(shown.map(({ code }) => code)).not.toContain('lane.refused');
    expect(shown.at(-1)).toEqual(event('BUS_DENIED', 99));
  });
});

const HOLDER = { node: B, sid: b.statement.sid };
const AWAY = new TidelockError('KUBE_UNREACHABLE', {
  op: 'kube.lease',
  message: 'Cannot use the Lease: away',
  hint: 'wait',
});

describe('epochsText()', () => {
  it.each([
    /^Epochs +in-step: records come/,
    /^Conductor +node-a, term 1$/,
    /^Slot +2000000 of 5 s, next in 3 s$/,
    /^Records +9 accepted, 1 refused, last 1 s ago$/,
    /^Outage +none; one may last 30 min, then lanes are cut$/,
    /^ {2}[0-9a-f]{12} +1 +2 +2000002 +in 10 s +\S+ +- +node-b node-c$/,
    /^ {2}[0-9a-f]{12} +1 \(heal\) +1 +1999991 +newest +\S+ +node-b +node-c$/,
    /^ {2}node-b +affirming +[0-9a-f]{12} +1 s ago +1 missing, last after 59 s +3 ms$/,
    /^ {2}node-c +affirming +[0-9a-f]{12} +never heard +- +-$/,
  ])('epochsText() has a line %s', (pattern) => {
    expect(epochsText(epochsOf(sources())).split('\n')).toContainEqual(
      expect.stringMatching(pattern),
    );
  });

  it.each([
    [{ kept: 'bus', holder: undefined }, /^Lease +on the bus, not held as far as known here$/],
    [{ kept: 'bus', holder: HOLDER }, /^Lease +on the bus, held by node-b$/],
    [{ kept: 'kubernetes', holder: HOLDER }, /^Lease +in Kubernetes, held by node-b$/],
    [
      { kept: 'kubernetes', holder: HOLDER, problem: AWAY },
      /^Lease +in Kubernetes, OUT OF REACH: Cannot use the Lease: away$/,
    ],
  ] as const)('epochsText() says where the lease is and who holds it: %#', (lease, pattern) => {
    const text = epochsText(epochsOf(sources({ lease: { problem: undefined, ...lease } })));
    expect(text.split('\n')).toContainEqual(expect.stringMatching(pattern));
  });

  it('epochsText() of a node that has only just started says nothing undefined', () => {
    const young = sources({
      follower: { newest: undefined, silenceMs: Infinity, accepted: 0, refused: 0 },
      keeper: new ChainKeeper({ maxStalenessMs: 1 }),
      peers: new PeerBook(),
    });
    expect(epochsText(epochsOf(young))).not.toMatch(/undefined|NaN|Infinity|^Chains|^Peers/m);
  });
});
