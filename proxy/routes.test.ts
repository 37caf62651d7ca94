import { describe, expect, it } from 'vitest';
import type { ChainId, NodeName, Sid, Slot, SpiffeId } from '#agent/base/brands.ts';
import { Routes, tokenFor } from './routes.ts';
import type { LocalPod, Peer, RemotePod, Snapshot } from './snapshot.ts';

const id = (name: string) => `spiffe://example.org/c/${name}` as SpiffeId;
const localPod = (uid: string, ip: string): LocalPod => ({
  uid,
  namespace: 'ns',
  name: uid,
  serviceAccount: uid,
  spiffeId: id(uid),
  ips: [ip],
  tokens: [],
});
const peer = (node: string, sid: string): Peer => ({
  node: node as NodeName,
  address: '198.18.0.12',
  port: 15_008,
  statements: [{ sid: sid.repeat(16) as Sid, ed25519: Buffer.alloc(32) }],
  pairs: [],
  send: { refused: 'test' },
});
const remote = (uid: string, node: string, ip: string): RemotePod => ({
  uid,
  node: node as NodeName,
  spiffeId: id(uid),
  ips: [ip],
});
const snapshot: Snapshot = {
  version: 1,
  self: {
    domain: 'example.org',
    cluster: 'c',
    node: 'a' as NodeName,
    sids: ['aa'.repeat(16) as Sid],
    trusted: true,
    reason: '',
  },
  chains: [],
  peers: [peer('b', 'bb'), peer('d', 'dd')],
  pods: [localPod('web', '10.0.0.1'), localPod('db', '10.0.0.2')],
  remotes: [
    remote('api', 'b', '10.0.1.1'),
    remote('six', 'b', '2001:DB8::1'),
    remote('lost', 'x', '10.0.9.1'),
  ],
  policy: {
    version: 1,
    defaultAction: 'DENY',
    rules: [
      { name: 'p/web', from: id('web'), to: id('api'), ports: [443] },
      { name: 'p/all', from: 'spiffe://example.org/', to: id('db'), ports: [] },
      { name: 'p/six', from: id('web'), to: id('six'), ports: [] },
      { name: 'p/lost', from: id('web'), to: id('lost'), ports: [] },
    ],
  },
  unmeshed: 'refuse',
};
const routes = new Routes(snapshot);
const to = (address: string, port = 443) => ({ address, port });
const change = (part: Partial<Snapshot>) => new Routes({ ...snapshot, ...part });

describe('Routes', () => {
  it('outbound() finds pods of other nodes and of its own, and names the rule', () => {
    expect(routes.outbound('web', to('10.0.1.1'))).toMatchObject({ kind: 'remote', rule: 'p/web' });
    expect(routes.outbound('web', to('10.0.0.2'))).toMatchObject({ kind: 'local', rule: 'p/all' });
  });

  it('clientOf() knows an address that the directory gives to that pod of that node, and no other', () => {
    const b = 'b' as NodeName;
    const d = 'd' as NodeName;
    const client = to('10.0.1.1', 4321);
    expect(routes.clientOf(b, 'api', client)).toBe(client);
    expect(routes.clientOf(b, 'six', client)).toBeUndefined();
    expect(routes.clientOf(d, 'api', client)).toBeUndefined();
    expect(routes.clientOf(b, 'api', to('10.0.1.9'))).toBeUndefined();
  });

  it('clientOf() knows none that two nodes claim, nor one of this node', () => {
    const twice = [remote('api', 'b', '10.0.1.1'), remote('other', 'd', '10.0.1.1')];
    const own = [remote('api', 'b', '10.0.0.1')];
    const b = 'b' as NodeName;
    expect(change({ remotes: twice }).clientOf(b, 'api', to('10.0.1.1'))).toBeUndefined();
    expect(change({ remotes: own }).clientOf(b, 'api', to('10.0.0.1'))).toBeUndefined();
  });

  it('clientHere() knows the addresses of that pod of this node, and no other', () => {
    const client = to('10.0.0.1', 4321);
    expect(routes.clientHere('web', client)).toBe(client);
    expect(routes.clientHere('db', client)).toBeUndefined();
    expect(routes.clientHere('web', to('10.0.1.1'))).toBeUndefined();
  });

  it('outbound() knows an address in whatever form the directory wrote it', () => {
    expect(routes.outbound('web', to('2001:db8::1')).kind).toBe('remote');
  });

  it('outbound() refuses what no rule allows: another port, another source', () => {
    const refused = { kind: 'refused', reason: 'policy', detail: 'default' };
    expect(routes.outbound('web', to('10.0.1.1', 80))).toMatchObject(refused);
    expect(routes.outbound('db', to('10.0.1.1'))).toMatchObject(refused);
  });

  it('clientOf() knows none of a service, of a lane port, or of a node that is not attested now', () => {
    const b = 'b' as NodeName;
    const service = { name: 's/s', ips: ['10.96.0.1'], isSticky: false, ports: [] };
    const asService = { remotes: [remote('api', 'b', '10.96.0.1')], services: [service] };
    expect(change(asService).clientOf(b, 'api', to('10.96.0.1'))).toBeUndefined();
    const asNode = { remotes: [remote('api', 'b', '198.18.0.12')] };
    expect(change(asNode).clientOf(b, 'api', to('198.18.0.12'))).toBeUndefined();
    const asFallen = { unattested: [{ node: 'd' as NodeName, ips: ['10.0.1.1'] }] };
    expect(change(asFallen).clientOf(b, 'api', to('10.0.1.1'))).toBeUndefined();
  });

  it('outbound() refuses a peer the address of a node that is not attested now', () => {
    const fallen = change({ unattested: [{ node: 'd' as NodeName, ips: ['10.0.1.1'] }] });
    expect(fallen.outbound('web', to('10.0.1.1'))).toMatchObject({ reason: 'address-conflict' });
  });

  it('outbound() refuses an address that two nodes claim, and leads to a pod of this node whoever claims it', () => {
    const twice = change({
      remotes: [remote('api', 'b', '10.0.1.1'), remote('thief', 'd', '10.0.1.1')],
    });
    expect(twice.outbound('web', to('10.0.1.1'))).toMatchObject({ reason: 'address-conflict' });
    const claims = [remote('thief', 'd', '10.0.0.2'), remote('api', 'b', '10.0.0.2')];
    const claimed = change({ remotes: claims });
    expect(claimed.outbound('web', to('10.0.0.2'))).toMatchObject({ kind: 'local' });
  });

  it('outbound() to nobody is refused or plain as configured, and plain only then', () => {
    expect(routes.outbound('web', to('8.8.8.8'))).toMatchObject({ reason: 'no-agent' });
    const plain = change({ unmeshed: 'plain' });
    expect(plain.outbound('web', to('8.8.8.8')).kind).toBe('plain');
    expect(plain.outbound('web', to('10.0.1.1', 80))).toMatchObject({ reason: 'policy' });
  });

  it('outbound() lets pass what is excepted by network and port, and names the exception', () => {
    const except = change({ unmeshedExcept: [{ network: '8.0.0.0/8', ports: [443] }] });
    expect(except.outbound('web', to('8.8.8.8'))).toMatchObject({
      kind: 'plain',
      destination: to('8.8.8.8'),
      rule: 'unmeshedExcept: 8.0.0.0/8',
    });
    expect(except.outbound('web', to('8.8.8.8', 80))).toMatchObject({ reason: 'no-agent' });
    const all = change({ unmeshedExcept: [{ network: '0.0.0.0/0', ports: [] }] });
    expect(all.outbound('web', to('10.0.1.1', 80))).toMatchObject({ reason: 'policy' });
  });

  it('outbound() reaches no pod of an unattested node in the clear, whatever is excepted', () => {
    const unattested = [{ node: 'b' as NodeName, ips: ['10.0.1.1'] }];
    const lost = change({ remotes: [], unattested, unmeshed: 'plain' });
    expect(lost.outbound('web', to('10.0.1.1'))).toMatchObject({
      reason: 'not-trusted',
      detail: '10.0.1.1 is of b, which is not attested now',
    });
    expect(lost.outbound('web', to('10.0.1.2')).kind).toBe('plain');
    const services = [
      {
        name: 'ns/s',
        ips: ['10.96.0.1'],
        isSticky: false,
        ports: [{ port: 443, endpoints: [to('10.0.1.1')] }],
      },
    ];
    const behind = change({ remotes: [], unattested, unmeshed: 'plain', services });
    expect(behind.outbound('web', to('10.96.0.1'))).toMatchObject({ reason: 'no-endpoint' });
  });

  it('outbound() to a service goes to an endpoint, by the policy for that endpoint', () => {
    const service = (...endpoints: { address: string; port: number }[]) => ({
      services: [
        { name: 'ns/s', ips: ['10.96.0.1'], isSticky: false, ports: [{ port: 80, endpoints }] },
      ],
    });
    const asked = to('10.96.0.1', 80);
    expect(change(service(to('10.0.0.2', 5432))).outbound('web', asked)).toMatchObject({
      kind: 'local',
      destination: to('10.0.0.2', 5432),
      rule: 'p/all',
    });
    const silent = change(service(to('10.0.1.1')));
    expect(silent.outbound('web', asked)).toMatchObject({ reason: 'no-endpoint' });
    const send = { chainId: 'c' as ChainId, ownSid: 'o' as Sid, peerSid: 'p' as Sid };
    const peers = [{ ...peer('b', 'bb'), send }];
    const ready = change({ ...service(to('10.0.1.1')), peers });
    expect(ready.outbound('web', asked)).toMatchObject({
      kind: 'remote',
      destination: to('10.0.1.1'),
    });
    const denied = change({ ...service(to('10.0.1.1', 81)), peers });
    expect(denied.outbound('web', asked)).toMatchObject({ reason: 'policy' });
    expect(ready.outbound('web', to('10.96.0.1', 81))).toMatchObject({
      reason: 'no-endpoint',
      detail: 'ns/s has no such port',
    });
    const outside = { ...service(to('192.0.2.1')) };
    expect(change(outside).outbound('web', asked)).toMatchObject({ reason: 'no-endpoint' });
    expect(change({ ...outside, unmeshed: 'plain' }).outbound('web', asked)).toMatchObject({
      kind: 'plain',
      destination: to('192.0.2.1'),
    });
  });

  it('outbound() asks whose an address is that nobody has, where not all nodes are known', () => {
    const asking = change({ asks: true });
    const lost = to('8.8.8.8');
    expect(asking.outbound('web', lost)).toMatchObject({ kind: 'unknown', destination: lost });
    expect(asking.outbound('web', to('10.0.1.1')).kind).toBe('remote');
    expect(asking.outbound('web', to('10.0.0.2')).kind).toBe('local');
    const conflict = [remote('api', 'b', '10.0.1.1'), remote('thief', 'd', '10.0.1.1')];
    expect(change({ asks: true, remotes: conflict }).outbound('web', to('10.0.1.1'))).toMatchObject(
      { reason: 'address-conflict' },
    );
    const unattested = [{ node: 'd' as NodeName, ips: ['8.8.8.8'] }];
    expect(change({ asks: true, unattested }).outbound('web', lost)).toMatchObject({
      reason: 'not-trusted',
    });
    const except = { unmeshedExcept: [{ network: '8.0.0.0/8', ports: [443] }] };
    const named = change({ asks: true, ...except });
    expect(named.outbound('web', lost)).toMatchObject({ rule: 'unmeshedExcept: 8.0.0.0/8' });
    expect(named.outbound('web', to('8.8.8.8', 80)).kind).toBe('unknown');
    const plain = change({ asks: true, unmeshed: 'plain', ...except });
    expect(plain.outbound('web', to('8.8.8.8', 80)).kind).toBe('unknown');
    expect(plain.outbound('web', lost)).toMatchObject({ rule: 'unmeshedExcept: 8.0.0.0/8' });
    expect(change({ asks: false }).outbound('web', lost)).toMatchObject({ reason: 'no-agent' });
  });

  it('outbound() asks no more for what is nobody’s: that is refused, or plain', () => {
    const nobodys = (address: string): boolean => address === '8.8.8.8';
    const lost = to('8.8.8.8');
    expect(change({ asks: true }).outbound('web', lost, nobodys)).toMatchObject({
      reason: 'no-agent',
    });
    const plain = change({ asks: true, unmeshed: 'plain' });
    expect(plain.outbound('web', lost, nobodys)).toMatchObject({ rule: 'unmeshed: plain' });
    expect(plain.outbound('web', to('8.8.4.4'), nobodys).kind).toBe('unknown');
    // Whatever was said a moment ago, whose it is stands in the snapshot.
    const all = () => true;
    expect(change({ asks: true }).outbound('web', to('10.0.1.1'), all).kind).toBe('remote');
  });

  it('outbound() to a service asks for an endpoint that nobody knows, and passes over what is nobody’s', () => {
    const endpoints = [to('8.8.8.8'), to('8.8.4.4'), to('10.0.0.2', 5432)];
    const ports = [{ port: 80, endpoints }];
    const services = [{ name: 'ns/s', ips: ['10.96.0.1'], isSticky: false, ports }];
    const asked = to('10.96.0.1', 80);
    const first = () => 0;
    const asking = new Routes({ ...snapshot, services, asks: true }, first);
    expect(asking.outbound('web', asked)).toMatchObject({
      kind: 'unknown',
      destination: endpoints[0],
    });
    expect(asking.outbound('web', asked, (address) => address === '8.8.8.8')).toMatchObject({
      kind: 'unknown',
      destination: endpoints[1],
    });
    expect(asking.outbound('web', asked, () => true).kind).toBe('local');
    const knowing = new Routes({ ...snapshot, services }, first);
    expect(knowing.outbound('web', asked).kind).toBe('local');
    const plain = { ...snapshot, services, asks: true, unmeshed: 'plain' } as const;
    expect(new Routes(plain, first).outbound('web', asked, () => true)).toMatchObject({
      kind: 'plain',
      destination: endpoints[0],
    });
  });

  it('toward() leads to the endpoint itself, by the same rules', () => {
    expect(routes.toward('web', to('10.0.1.1'))).toMatchObject({ kind: 'remote', rule: 'p/web' });
    expect(routes.toward('gone', to('10.0.1.1'))).toMatchObject({ reason: 'not-local' });
    const self = { ...snapshot.self, trusted: false, reason: 'PCR 4 differs' };
    expect(change({ self }).toward('web', to('10.0.1.1'))).toMatchObject({ reason: 'not-trusted' });
  });

  it('outbound() lets no node take a service’s address over', () => {
    const services = [
      {
        name: 'ns/s',
        ips: ['10.0.1.1'],
        isSticky: false,
        ports: [{ port: 443, endpoints: [to('10.0.0.2')] }],
      },
    ];
    expect(change({ services }).outbound('web', to('10.0.1.1')).kind).toBe('local');
  });

  it('outbound() refuses everything while this node is not trusted', () => {
    const self = { ...snapshot.self, trusted: false, reason: 'PCR 4 differs' };
    for (const unmeshed of ['plain', 'refuse'] as const) {
      const route = change({ self, unmeshed }).outbound('web', to('8.8.8.8'));
      expect(route).toMatchObject({ reason: 'not-trusted', detail: 'PCR 4 differs' });
    }
  });

  it('outbound() refuses a pod that is not in the inventory and a node that is no peer', () => {
    expect(routes.outbound('gone', to('10.0.0.2'))).toMatchObject({ reason: 'not-local' });
    expect(routes.outbound('web', to('10.0.9.1'))).toMatchObject({ reason: 'no-chain' });
  });

  it('inbound() admits to own pods only: an agent is never a relay to anywhere else', () => {
    expect(routes.inbound(id('api'), to('10.0.0.2'))).toMatchObject({
      kind: 'admitted',
      rule: 'p/all',
    });
    for (const elsewhere of ['10.0.1.1', '8.8.8.8', '127.0.0.1']) {
      expect(routes.inbound(id('api'), to(elsewhere))).toMatchObject({ denial: 'destination' });
    }
    expect(routes.inbound(id('api'), to('10.0.0.1'))).toMatchObject({ denial: 'policy' });
    const self = { ...snapshot.self, trusted: false };
    expect(change({ self }).inbound(id('api'), to('10.0.0.2'))).toMatchObject({ denial: 'trust' });
  });

  it('objection() judges policy, pods, peers and trust anew', () => {
    const standing = {
      access: { from: id('web'), to: id('api'), port: 443 },
      podUids: ['web'],
      peer: 'b' as NodeName,
    };
    expect(routes.objection(standing)).toBeUndefined();
    const noRules = { ...snapshot.policy, rules: [] };
    expect(change({ policy: noRules }).objection(standing)?.reason).toBe('policy');
    expect(change({ policy: noRules }).objection(standing, false)).toBeUndefined();
    expect(change({ pods: [] }).objection(standing, false)?.reason).toBe('not-local');
    expect(change({ peers: [] }).objection(standing, false)?.reason).toBe('not-trusted');
    const silent = { ...peer('b', 'bb'), statements: [] };
    expect(change({ peers: [silent] }).objection(standing, false)?.reason).toBe('not-trusted');
  });

  it('statements() finds by reference, speaksAs() by node and statement', () => {
    expect(routes.statements('bb'.repeat(8)).map(({ peer }) => peer.node)).toEqual(['b']);
    expect(routes.statements('aa'.repeat(8))).toEqual([]);
    expect(routes.speaksAs('b' as NodeName, 'bb'.repeat(16))).toBe(true);
    expect(routes.speaksAs('d' as NodeName, 'bb'.repeat(16))).toBe(false);
  });
});

describe('tokenFor()', () => {
  const token = (slot: number, sid: string) => ({
    slot: slot as Slot,
    sid: sid as Sid,
    token: Buffer.alloc(1),
    endorsement: Buffer.alloc(1),
  });
  const pod = {
    ...localPod('web', '10.0.0.1'),
    tokens: [token(4, 's'), token(5, 's'), token(5, 'r')],
  };

  it('prefers the slot itself, takes a neighbour, and never another statement', () => {
    expect(tokenFor(pod, 's', 5 as Slot)).toMatchObject({ slot: 5, sid: 's' });
    expect(tokenFor(pod, 's', 6 as Slot)).toMatchObject({ slot: 5 });
    expect(tokenFor(pod, 's', 7 as Slot)).toBeUndefined();
    expect(tokenFor(pod, 'q', 5 as Slot)).toBeUndefined();
  });
});
