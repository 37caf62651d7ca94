import { afterAll, describe, expect, it } from 'vitest';
import { slotAt, type Sid, type Slot } from '#agent/base/brands.ts';
import { endpoint, kidOf, presenceCheck } from '#proxy/chips/chain.ts';
import { KeyRing } from './keyRing.ts';
import type { Snapshot } from './snapshot.ts';
import { chainKey, testChain } from './chain.fixture.ts';
import { TwoNodes } from './twoNodes.fixture.ts';

const PERIOD = 10_000;
const two = new TwoNodes({ periodMs: PERIOD });
afterAll(() => two.close());
const [chain] = two.view.chains;
if (!chain) throw new Error('no chain');
const nowMs = Date.now();
const now = slotAt(nowMs, PERIOD);
const at = (offset: number): Slot => (now + offset) as Slot;
const { a, b } = two;

const ringOf = (snapshot: Snapshot = two.snapshot(b, a)): KeyRing => {
  const ring = new KeyRing();
  ring.replace(snapshot, nowMs);
  return ring;
};
const kidAt = (offset: number, sid: Sid = b.sid): Buffer =>
  kidOf(chainKey(chain, at(offset)), endpoint(b.name, sid));

describe('KeyRing', () => {
  it('kid() knows the names of t-1, t and t+1 for its own statements, and no others', () => {
    const ring = ringOf();
    expect([-1, 0, 1].map((offset) => ring.kid(kidAt(offset))?.slot)).toEqual([
      at(-1),
      at(0),
      at(1),
    ]);
    expect(ring.kid(kidAt(2))).toBeUndefined();
    expect(ring.kid(kidAt(0, a.sid))).toBeUndefined();
  });

  it('tick() moves the names on', () => {
    const ring = ringOf();
    ring.tick(nowMs + PERIOD);
    expect(ring.kid(kidAt(-1))).toBeUndefined();
    expect([0, 1, 2].map((offset) => ring.kid(kidAt(offset))?.slot)).toEqual([at(0), at(1), at(2)]);
  });

  it('replace() follows a new own statement and keeps an old one as long as it is listed', () => {
    const ring = ringOf();
    const sid = 'ff'.repeat(16) as Sid;
    const view = two.snapshot(b, a);
    ring.replace({ ...view, self: { ...view.self, sids: [sid, b.sid] } }, nowMs);
    expect([b.sid, sid].map((own) => ring.kid(kidAt(0, own))?.own.sid)).toEqual([b.sid, sid]);
    ring.replace({ ...view, self: { ...view.self, sids: [sid] } }, nowMs);
    expect(ring.kid(kidAt(0))).toBeUndefined();
  });

  it('replace() keeps a chain that is only named, and has none that was never told whole', () => {
    const ring = ringOf();
    const named = { ...two.snapshot(b, a), chains: [chain.id] };
    ring.replace(named, nowMs);
    expect(ring.kid(kidAt(0))?.slot).toBe(at(0));
    expect('refused' in ring.sending(a.name)).toBe(false);
    const newcomer = new KeyRing();
    newcomer.replace(named, nowMs);
    expect(newcomer.kid(kidAt(0))).toBeUndefined();
    expect(newcomer.sending(a.name)).toHaveProperty('refused');
  });

  it('replace() forgets a chain that is gone and everything under it', () => {
    const ring = ringOf();
    ring.replace({ ...two.snapshot(b, a), chains: [] }, nowMs);
    expect(ring.kid(kidAt(0))).toBeUndefined();
    expect(ring.chain(chain.id)).toBeUndefined();
    expect(ring.sending(a.name)).toHaveProperty('refused');
  });

  it('replace() ignores a chain of an unknown algorithm', () => {
    const view = two.snapshot(b, a);
    const ring = ringOf({ ...view, chains: view.chains.map((c) => ({ ...c, algorithm: 99 })) });
    expect(ring.chain(chain.id)).toBeUndefined();
  });

  it('sending() is renewed with the slot and overwrites what was', () => {
    const ring = ringOf(two.snapshot(a, b));
    const before = ring.sending(b.name);
    if ('refused' in before) throw new Error(before.refused);
    expect(before.kid.equals(kidAt(0))).toBe(true);
    ring.tick(nowMs + PERIOD);
    expect(before.ls.every((byte) => byte === 0)).toBe(true);
    const after = ring.sending(b.name);
    expect(!('refused' in after) && after.kid.equals(kidAt(1))).toBe(true);
  });

  it('tick() moves the newest chains on at once, tickLate() the others by and by', () => {
    const view = two.snapshot(a, b);
    const old = Array.from({ length: 60 }, () => testChain(PERIOD));
    const chains = [...view.chains, ...old.map((each) => ({ ...view.chains[0]!, ...each }))];
    const ring = ringOf({ ...view, chains });
    while (ring.tickLate(nowMs));
    ring.tick(nowMs + PERIOD);
    const moved = (): number =>
      chains.filter(({ id }) => ring.chain(id)?.window.now === at(1)).length;
    const counts = [moved()];
    for (let more = true; more; counts.push(moved())) more = ring.tickLate(nowMs + PERIOD);
    expect(counts).toEqual([8, 14, 20, 26, 32, 38, 44, 50, 56, 61]);
    const last = ring.chain(old[59]!.id)?.window;
    expect(last?.keyAt(at(-1))).toBeUndefined();
    expect(
      ring.kid(kidOf(last?.keyAt(at(2)) ?? Buffer.alloc(32), endpoint(a.name, a.sid))),
    ).toBeDefined();
  });

  it('sending() passes on why nothing can be sent', () => {
    const view = two.snapshot(a, b);
    const [peer] = view.peers;
    if (!peer) throw new Error('no peer');
    const ring = ringOf({ ...view, peers: [{ ...peer, send: { refused: 'b is not attested' } }] });
    expect(ring.sending(b.name)).toEqual({ refused: 'b is not attested' });
    expect(ring.sending(a.name)).toEqual({ refused: `${a.name} is not a peer` });
  });

  it('confirm() moves sending to a newer chain, never back, and only for a right check', () => {
    const newer = testChain(PERIOD);
    const oldChoice = two.view.chains;
    two.view = { ...two.view, chains: [newer, ...oldChoice] };
    const view = two.snapshot(a, b);
    two.view = { ...two.view, chains: oldChoice };
    const choice = { chainId: chain.id, ownSid: a.sid, peerSid: b.sid };
    const peers = view.peers.map((peer) => ({ ...peer, send: choice }));
    const end = { node: b.name, sid: b.sid };
    const chainOf = (ring: KeyRing): string => {
      const sending = ring.sending(b.name);
      return 'refused' in sending ? sending.refused : sending.chain.id;
    };
    const check = presenceCheck(chainKey(newer, at(0)), b.name, b.sid);
    const wrong = ringOf({ ...view, peers });
    wrong.confirm(end, { chainId: newer.id, slot: at(0), check: Buffer.alloc(8) });
    expect(chainOf(wrong)).toBe(chain.id);
    const right = ringOf({ ...view, peers });
    right.confirm(end, { chainId: newer.id, slot: at(0), check });
    expect(chainOf(right)).toBe(newer.id);
    right.confirm(end, chain.id);
    expect(chainOf(right)).toBe(newer.id);
    right.confirm({ ...end, sid: 'cc'.repeat(16) as Sid }, newer.id);
    expect(chainOf(right)).toBe(newer.id);
  });

  it.each(['by a lane', 'by the control plane'])(
    'sending() takes a chain that has begun elsewhere a moment before the slot has here, shown %s',
    (how) => {
      const view = two.snapshot(a, b);
      const newer = testChain(PERIOD);
      const next = { ...newer, epoch: 2, atSlot: at(1), slot: at(1), key: chainKey(newer, at(1)) };
      const isTold = how === 'by the control plane';
      const peers = view.peers.map((peer) => ({
        ...peer,
        send: { chainId: isTold ? newer.id : chain.id, ownSid: a.sid, peerSid: b.sid },
      }));
      const ring = ringOf({ ...view, chains: [next, ...view.chains], peers });
      if (!isTold) ring.confirm({ node: b.name, sid: b.sid }, newer.id);
      expect(ring.sending(b.name)).toMatchObject({ chain: { id: newer.id }, slot: at(1) });
      ring.tick(nowMs + PERIOD);
      expect(ring.sending(b.name)).toMatchObject({ chain: { id: newer.id }, slot: at(1) });
      const later = { ...next, atSlot: at(2), slot: at(2), key: chainKey(newer, at(2)) };
      const early = ringOf({ ...view, chains: [later, ...view.chains], peers });
      if (!isTold) early.confirm({ node: b.name, sid: b.sid }, newer.id);
      expect(early.sending(b.name)).toHaveProperty('refused');
    },
  );

  it('confirmation() names the newest chain in effect with a check that the peer accepts', () => {
    const shown = ringOf().confirmation(b.sid);
    expect(shown?.chainId).toBe(chain.id);
    const check = presenceCheck(chainKey(chain, at(0)), b.name, b.sid);
    expect(shown && Buffer.from(shown.check).equals(check)).toBe(true);
    const view = two.snapshot(b, a);
    const future = view.chains.map((c) => ({ ...c, atSlot: at(2), slot: at(2) }));
    expect(ringOf({ ...view, chains: future }).confirmation(b.sid)).toBeUndefined();
  });

  it('close() leaves no key', () => {
    const ring = ringOf();
    const key = ring.chain(chain.id)?.window.keyAt(at(0));
    ring.close();
    expect(key?.every((byte) => byte === 0)).toBe(true);
    expect(ring.kid(kidAt(0))).toBeUndefined();
  });
});
