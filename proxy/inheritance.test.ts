import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChainId, NodeName, Sid, Slot, SpiffeId } from '#agent/base/brands.ts';
import { encodeFrame } from './channel.ts';
import { Inheritance } from './inheritance.ts';
import {
  chainIdOf,
  wholeChains,
  type LiveChain,
  type LocalPod,
  type Peer,
  type Snapshot,
} from './snapshot.ts';

const A1 = 'a1' as Sid;
const A2 = 'a2' as Sid;
const B1 = 'b1' as Sid;
const B2 = 'b2' as Sid;
const PEER = 'b' as NodeName;

const chain = (id: string, periodMs = 5000): LiveChain => ({
  id: id as ChainId,
  generation: 1,
  epoch: 1,
  periodMs,
  algorithm: 1,
  atSlot: 1 as Slot,
  slot: 1 as Slot,
  key: new Uint8Array(32).fill(7),
});

const peer = (ownSid: Sid, peerSid: Sid, send?: string): Peer => ({
  node: PEER,
  address: '192.0.2.1',
  port: 15_008,
  statements: [{ sid: peerSid, ed25519: new Uint8Array(32) }],
  pairs: [{ ownSid, peerSid, secret: new Uint8Array(32).fill(9) }],
  send: send === undefined ? { refused: 'not yet' } : { chainId: send as ChainId, ownSid, peerSid },
});

/** The same, of a peer that has seen `ownSid`. */
const knowing = (ownSid: Sid, peerSid: Sid, send: string): Peer => ({
  ...peer(ownSid, peerSid),
  send: { chainId: send as ChainId, ownSid, peerSid, isKnown: true },
});

const pod = (sid: Sid, account = 'web', slot = 1): LocalPod => ({
  uid: 'pod-1',
  namespace: 'default',
  name: 'web',
  serviceAccount: account,
  spiffeId: `spiffe://example.org/c/default/${account}` as SpiffeId,
  ips: ['10.0.0.1'],
  tokens: [{ slot: slot as Slot, sid, token: new Uint8Array(1), endorsement: new Uint8Array(1) }],
});

const snapshot = (parts: Partial<Snapshot> & { readonly sids: readonly Sid[] }): Snapshot => {
  const { sids, ...rest } = parts;
  return {
    version: 1,
    self: {
      domain: 'example.org',
      cluster: 'c',
      node: 'a' as NodeName,
      sids,
      trusted: true,
      reason: '',
    },
    chains: [],
    peers: [],
    pods: [],
    remotes: [],
    policy: { version: 1, defaultAction: 'DENY', rules: [] },
    unmeshed: 'refuse',
    ...rest,
  };
};

const inherit = (before: Snapshot): Inheritance =>
  new Inheritance(encodeFrame({ type: 'snapshot', snapshot: before }));

const BEFORE = snapshot({
  sids: [A1],
  chains: [chain('old')],
  peers: [peer(A1, B1, 'old')],
  pods: [pod(A1)],
});

describe('Inheritance.addTo()', () => {
  test('keeps the old statement addressable, its pair secret, chain, tokens and way to send', () => {
    const next = snapshot({
      sids: [A2],
      chains: [chain('new')],
      peers: [peer(A2, B1)],
      pods: [pod(A2)],
    });
    const both = inherit(BEFORE).addTo(next);
    expect(both.self.sids).toEqual([A2, A1]);
    expect(both.chains.map(chainIdOf)).toEqual(['new', 'old']);
    expect(both.peers[0]?.pairs.map(({ ownSid }) => ownSid)).toEqual([A2, A1]);
    expect(both.peers[0]?.send).toEqual({ chainId: 'old', ownSid: A1, peerSid: B1 });
    expect(both.pods[0]?.tokens.map(({ sid }) => sid)).toEqual([A2, A1]);
  });

  test.each([
    ['goes on under the old statement while the peer may not know the new one', 2, A1],
    ['speaks under the new statement where tokens of the old one run out', 1, A2],
  ])('%s', (_claim, slot, ownSid) => {
    const before = { ...BEFORE, pods: [pod(A1, 'web', slot)] };
    const next = snapshot({
      sids: [A2],
      chains: [chain('new')],
      peers: [peer(A2, B1, 'new')],
      pods: [pod(A2)],
    });
    expect(inherit(before).addTo(next).peers[0]?.send).toMatchObject({ ownSid });
  });

  test('sends as the new control plane says to a peer that knows it', () => {
    const next = snapshot({ sids: [A2], chains: [chain('new')], peers: [knowing(A2, B1, 'new')] });
    expect(inherit(BEFORE).addTo(next).peers[0]?.send).toMatchObject({ chainId: 'new' });
  });

  test('never leads back once the peer has known the new control plane', () => {
    const inherited = inherit(BEFORE);
    const known = [knowing(A2, B1, 'new')];
    inherited.addTo(snapshot({ sids: [A2], chains: [chain('new')], peers: known }));
    const later = snapshot({ sids: [A2], chains: [chain('new')], peers: [peer(A2, B1)] });
    expect(inherited.addTo(later).peers[0]?.send).toEqual({ refused: 'not yet' });
  });

  test('gives nothing for a statement of a peer that is not accepted any more', () => {
    const next = snapshot({ sids: [A2], chains: [chain('new')], peers: [peer(A2, B2)] });
    const [to] = inherit(BEFORE).addTo(next).peers;
    expect(to?.pairs).toEqual(next.peers[0]?.pairs);
    expect(to?.send).toEqual({ refused: 'not yet' });
  });

  test('adds no peer and no pod, and no token to a pod that is another workload now', () => {
    const inherited = inherit(BEFORE);
    const none = inherited.addTo(snapshot({ sids: [A2] }));
    expect([none.peers, none.pods]).toEqual([[], []]);
    const other = inherited.addTo(snapshot({ sids: [A2], pods: [pod(A2, 'other')] }));
    expect(other.pods[0]?.tokens).toHaveLength(1);
  });

  test('adds nothing to a snapshot that trusts nobody, or is of another node', () => {
    const next = snapshot({ sids: [A2] });
    const untrusted = { ...next, self: { ...next.self, trusted: false, sids: [] } };
    const elsewhere = { ...next, self: { ...next.self, node: 'z' as NodeName } };
    expect(inherit(BEFORE).addTo(untrusted)).toBe(untrusted);
    expect(inherit(BEFORE).addTo(elsewhere)).toBe(elsewhere);
  });

  test('takes nothing away, whatever the two have in common', () => {
    const sid = fc.constantFrom(A1, A2, B1, B2);
    const chains = fc.uniqueArray(fc.constantFrom('x', 'y', 'z'));
    const some = fc.record({ own: sid, of: sid, chains, send: fc.constantFrom(undefined, 'x') });
    const made = some.map((s) =>
      snapshot({
        sids: [s.own],
        chains: s.chains.map((id) => chain(id)),
        peers: [peer(s.own, s.of, s.send)],
        pods: [pod(s.own)],
      }),
    );
    fc.assert(
      fc.property(made, made, (before, next) => {
        const both = inherit(before).addTo(next);
        expect(both.self.sids).toEqual(expect.arrayContaining([...next.self.sids]));
        expect(both.chains.slice(0, next.chains.length)).toEqual(next.chains);
        expect(both.peers[0]?.statements).toEqual(next.peers[0]?.statements);
        expect(new Set(both.chains.map(chainIdOf)).size).toBe(both.chains.length);
        const pairs = both.peers[0]?.pairs.map(({ ownSid, peerSid }) => `${ownSid}/${peerSid}`);
        expect(new Set(pairs).size).toBe(pairs?.length);
      }),
    );
  });
});

describe('Inheritance', () => {
  test('lastsMs is three slots of the longest chain', () => {
    const chains = [chain('x', 5000), chain('y', 30_000)];
    expect(inherit(snapshot({ sids: [A1], chains })).lastsMs).toBe(90_000);
    expect(inherit(snapshot({ sids: [A1] })).lastsMs).toBe(0);
  });

  test('close() overwrites every key it gave away', () => {
    const inherited = inherit(BEFORE);
    const both = inherited.addTo(snapshot({ sids: [A2], peers: [peer(A2, B1)] }));
    inherited.close();
    expect(wholeChains(both)[0]?.key.every((byte) => byte === 0)).toBe(true);
    expect(both.peers[0]?.pairs[1]?.secret.every((byte) => byte === 0)).toBe(true);
  });
});
