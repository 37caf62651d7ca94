import { describe, expect, test } from 'vitest';
import { slotAt, type ChainId, type NodeName, type Sid } from '#agent/base/brands.ts';
import { hex, sha256, utf8 } from '#agent/base/bytes.ts';
import type { Chain } from './keeper.ts';
import { OwnStatements } from './ownStatements.ts';
import { PeerBook, type AcceptedStatement } from './peers.ts';
import type { Order } from './record.ts';
import { presenceBy } from './records.fixture.ts';
import { Members } from './members.ts';
import { drawStatement, type OwnStatement } from './statement.ts';

const PERIOD = 5000;
const NOW = 2_000_000 * PERIOD;
const MAX_STALENESS_SLOTS = 360;
const B = 'node-b' as NodeName;

const order = (epoch: number, generation = 1): Order => ({
  generation,
  term: 1,
  epoch,
  hash: hex(sha256(utf8(`${generation}/${epoch}`))),
});

/** A chain that took effect `age` slots ago. */
const chain = (epoch: number, age: number): Chain => ({
  ...order(epoch),
  id: hex(sha256(utf8(`chain ${epoch}`))).slice(0, 32) as ChainId,
  conductor: B,
  rosterDigest: '0'.repeat(64),
  atSlot: slotAt(NOW - age * PERIOD, PERIOD),
  periodMs: PERIOD,
  algorithm: 1,
  begins: 'epoch',
  slot: slotAt(NOW - PERIOD, PERIOD),
  key: Buffer.alloc(32),
  supersededAtMs: undefined,
});

const draw = (node: NodeName): OwnStatement =>
  drawStatement({
    domain: 'example.org',
    cluster: 'c',
    node,
    algorithms: [1],
    issuedAtMs: NOW,
    nonce: Buffer.alloc(16),
  });

const entry = {
  v: 1,
  statement: '',
  evidenceDigest: '0'.repeat(64),
  verdict: 'affirming',
  level: 'tpm',
  receipt: { conductor: '0'.repeat(32) as Sid, at: NOW },
  expiresAt: NOW + 60_000,
} as const;
const appraisal = {
  verdict: 'affirming',
  checks: [],
  pcrs: {},
  clock: undefined,
  atMs: NOW,
} as const;

const accepted = ({ statement }: OwnStatement, listedBy: Order): AcceptedStatement => ({
  statement,
  entry,
  appraisal,
  listedBy,
});

/** A roster of one. */
const listing = ({ statement: { node, sid } }: OwnStatement): Members =>
  Members.of([{ node, sid, entry: '0'.repeat(64) }]);

const own = draw('node-a' as NodeName);
const renewed = draw('node-a' as NodeName);
const peer = draw(B);
const peerRenewed = draw(B);

/** A book that has accepted the peer, listed by epoch 1. */
function book(): PeerBook {
  const peers = new PeerBook();
  peers.accept(B, accepted(peer, order(1)));
  return peers;
}

function statements(...listed: readonly (readonly [OwnStatement, Order])[]): OwnStatements {
  const all = new OwnStatements();
  for (const [statement, by] of listed) {
    all.add(statement);
    all.follow(listing(statement), by);
  }
  return all;
}

describe('PeerBook.choose()', () => {
  const mine = statements([own, order(1)]).listed;
  const [newer, older] = [chain(3, 1), chain(2, 2)];

  test('takes the newest chain that the peer confirmed under its present statement', () => {
    const peers = book();
    peers.hear(presenceBy(peer, 1), [older.id], NOW);
    expect(peers.choose(peers.peer(B), mine, [newer, older], NOW)).toMatchObject({
      chainId: older.id,
    });
    peers.hear(presenceBy(peer, 2), [newer.id], NOW);
    expect(peers.choose(peers.peer(B), mine, [newer, older], NOW)).toMatchObject({
      chainId: newer.id,
    });
  });

  test('takes one that is three slots old where nothing was heard of the peer', () => {
    const peers = book();
    expect(peers.choose(peers.peer(B), mine, [newer, older], NOW)).toHaveProperty('refused');
    const settled = chain(1, 3);
    expect(peers.choose(peers.peer(B), mine, [newer, older, settled], NOW)).toMatchObject({
      chainId: settled.id,
    });
  });

  test('addresses a peer that renewed as before until it has confirmed a chain, and no longer', () => {
    const peers = book();
    peers.hear(presenceBy(peer, 1), [newer.id], NOW);
    peers.accept(B, accepted(peerRenewed, order(3)));
    peers.hear(presenceBy(peerRenewed, 1), [], NOW);
    const choice = () => peers.choose(peers.peer(B), mine, [newer, older], NOW);
    expect(choice()).toMatchObject({ chainId: newer.id, peerSid: peer.statement.sid });
    peers.hear(presenceBy(peerRenewed, 2), [older.id], NOW);
    expect(choice()).toMatchObject({ chainId: older.id, peerSid: peerRenewed.statement.sid });
  });

  test('opens nothing to a peer that says it holds no chain, until it shows one', () => {
    const peers = book();
    peers.hear(presenceBy(peer, 1), [newer.id], NOW);
    peers.accept(B, accepted(peerRenewed, order(3)));
    peers.hear(presenceBy(peerRenewed, 1, []), [], NOW);
    const choice = () => peers.choose(peers.peer(B), mine, [newer, older], NOW);
    expect(choice()).toEqual({ refused: 'node-b has confirmed no chain yet' });
    peers.hear(presenceBy(peerRenewed, 2), [newer.id], NOW);
    expect(choice()).toMatchObject({ chainId: newer.id, peerSid: peerRenewed.statement.sid });
    peers.hear(presenceBy(peerRenewed, 3, []), [], NOW);
    expect(choice()).toHaveProperty('refused');
  });

  test('forgets what a restarted peer had confirmed under a statement that is dropped', () => {
    const peers = book();
    peers.hear(presenceBy(peer, 1), [newer.id], NOW);
    peers.refuse(B, 'out');
    peers.accept(B, accepted(peerRenewed, order(3)));
    peers.hear(presenceBy(peerRenewed, 1), [], NOW);
    expect(peers.choose(peers.peer(B), mine, [newer, older], NOW)).toHaveProperty('refused');
  });

  test('speaks under a renewed statement only once the peer is known to know it', () => {
    const peers = book();
    const both = statements([own, order(1)], [renewed, order(3)]).listed;
    peers.hear(presenceBy(peer, 1), [older.id], NOW);
    expect(peers.choose(peers.peer(B), both, [newer, older], NOW)).toMatchObject({
      ownSid: own.statement.sid,
    });
    peers.hear(presenceBy(peer, 2), [newer.id], NOW);
    expect(peers.choose(peers.peer(B), both, [newer, older], NOW)).toMatchObject({
      ownSid: renewed.statement.sid,
    });
  });

  test('refuses a peer that is out, and says why', () => {
    const peers = book();
    peers.refuse(B, 'node-b withdrew: PCR 7');
    expect(peers.choose(peers.peer(B), mine, [newer], NOW)).toEqual({
      refused: 'node-b withdrew: PCR 7',
    });
  });
});

describe('PeerBook.hear()', () => {
  test('takes no presence again, and none that is older', () => {
    const peers = book();
    expect(peers.hear(presenceBy(peer, 2), [], NOW)).toBe(true);
    expect(peers.hear(presenceBy(peer, 2), [chain(3, 1).id], NOW)).toBe(false);
    expect(peers.hear(presenceBy(peer, 1), [chain(3, 1).id], NOW)).toBe(false);
    expect(peers.peer(B).confirmed.size).toBe(0);
  });

  test('loses nothing that was shown by old words of older statements', async () => {
    const peers = book();
    const [first, second, third] = [peer, peerRenewed, draw(B)];
    peers.accept(B, accepted(second, order(2)));
    peers.accept(B, accepted(third, order(3)));
    const newer = chain(3, 1);
    expect(peers.hear(presenceBy(first, 5), [], NOW)).toBe(true);
    expect(peers.hear(presenceBy(second, 5), [newer.id], NOW)).toBe(true);
    expect(peers.hear(presenceBy(first, 4), [], NOW)).toBe(false);
    expect(peers.hear(presenceBy(first, 6), [], NOW)).toBe(true);
    expect(peers.hear(presenceBy(second, 4), [], NOW)).toBe(false);
    const mine = statements([own, order(1)]).listed;
    expect(peers.choose(peers.peer(B), mine, [newer], NOW)).toMatchObject({
      chainId: newer.id,
      peerSid: second.statement.sid,
    });
  });
});

describe('PeerBook.settle()', () => {
  /** Listed by epochs 1, 4 and 7, of which a record each slot takes effect three slots after it was made. */
  async function renewing(): Promise<{ readonly peers: PeerBook; readonly sids: () => Sid[] }> {
    const peers = book();
    peers.accept(B, accepted(peerRenewed, order(4)));
    peers.accept(B, accepted(draw(B), order(7)));
    return { peers, sids: () => peers.peer(B).accepted.map(({ statement }) => statement.sid) };
  }

  test('keeps every statement of a peer until its successor is known for three slots', async () => {
    const { peers, sids } = await renewing();
    const isHeard = 0; // as if the peer had shown each chain that is in effect
    const [third, second, first] = sids();
    expect([second, first]).toEqual([peerRenewed.statement.sid, peer.statement.sid]);
    const settle = (epoch: number, age: number) =>
      peers.settle([chain(epoch + 1, age - 1), chain(epoch, age)], () => true, NOW, isHeard);
    settle(4, 2); // the peer may still hear of epoch 4, and use its first statement until it has
    expect(sids()).toEqual([third, second, first]);
    settle(4, 3);
    expect(sids()).toEqual([third, second]);
    settle(7, 2);
    expect(sids()).toEqual([third, second]);
    settle(7, 3);
    expect(sids()).toEqual([third]);
  });

  test('keeps one whose peer has not shown a chain that lists its successor, for maxStaleness', async () => {
    const { peers, sids } = await renewing();
    const settle = (age: number) =>
      peers.settle([chain(7, age)], () => true, NOW, MAX_STALENESS_SLOTS * PERIOD);
    settle(MAX_STALENESS_SLOTS);
    expect(sids()).toHaveLength(3); // the bus went away before the peer could hear that it is known by another
    peers.hear(presenceBy(peer, 1), [chain(7, 0).id], NOW);
    settle(2);
    expect(sids()).toHaveLength(3);
    settle(3);
    expect(sids()).toHaveLength(1);
    const silent = await renewing();
    silent.peers.settle(
      [chain(7, MAX_STALENESS_SLOTS + 1)],
      () => true,
      NOW,
      MAX_STALENESS_SLOTS * PERIOD,
    );
    expect(silent.sids()).toHaveLength(1);
  });

  test('keeps no more than a peer can have in use that renews with every record', async () => {
    const peers = book();
    const all = Array.from({ length: 9 }, () => draw(B));
    for (const [at, each] of all.entries()) peers.accept(B, accepted(each, order(at + 2)));
    expect(peers.peer(B).accepted.map(({ statement }) => statement.sid)).toEqual(
      all
        .map(({ statement }) => statement.sid)
        .toReversed()
        .slice(0, 8),
    );
  });
});

describe('PeerBook.pairs()', () => {
  test('agrees with the other side, for every combination of statements', () => {
    const peers = book();
    peers.accept(B, accepted(peerRenewed, order(3)));
    const both = statements([own, order(1)], [renewed, order(3)]).addressable;
    const pairs = peers.pairs(peers.peer(B), both);
    expect(pairs).toHaveLength(4);
    for (const { ownSid, peerSid, secret } of pairs) {
      const ours = [own, renewed].find(({ statement }) => statement.sid === ownSid)!;
      const theirs = [peer, peerRenewed].find(({ statement }) => statement.sid === peerSid)!;
      expect(hex(secret)).toBe(hex(theirs.lane.agree(ours.statement.lane)));
    }
  });

  test('refuses a peer whose lane key is of low order', () => {
    const peers = new PeerBook();
    const weak = { ...peer.statement, lane: Buffer.alloc(32) };
    peers.accept(B, { ...accepted(peer, order(1)), statement: weak });
    expect(peers.pairs(peers.peer(B), statements([own, order(1)]).addressable)).toEqual([]);
    expect(peers.peer(B).refused).toMatch(/low order/);
  });

  test('forgetPairs() overwrites the secrets of statements that are gone', () => {
    const peers = book();
    const [pair] = peers.pairs(peers.peer(B), statements([own, order(1)]).addressable);
    peers.forgetPairs(statements([renewed, order(1)]).addressable);
    expect(pair?.secret.every((byte) => byte === 0)).toBe(true);
  });
});

describe('OwnStatements', () => {
  test('follow() voids every listed statement once a roster lists none', () => {
    const mine = statements([own, order(1)]);
    mine.add(renewed);
    mine.follow(listing(peer), order(2));
    expect(mine.addressable.map(({ own: each }) => each)).toEqual([renewed]);
  });

  test('settle() keeps a superseded statement while a peer has not confirmed its successor', () => {
    const mine = statements([own, order(1)], [renewed, order(3)]);
    const peers = book();
    const inEffect = [chain(3, 1), chain(2, 2)];
    peers.hear(presenceBy(peer, 1), [inEffect[1]!.id], NOW);
    mine.settle(inEffect, peers.all(), 0);
    expect(mine.listed).toHaveLength(2);
    peers.hear(presenceBy(peer, 2), [inEffect[0]!.id], NOW);
    mine.settle(inEffect, peers.all(), 0);
    expect(mine.listed.map(({ own: each }) => each)).toEqual([renewed]);
  });

  test('settle() keeps no statement that was overtaken before it was listed', () => {
    const mine = statements([own, order(1)]);
    mine.add(renewed);
    const last = { ...renewed, statement: { ...renewed.statement, sid: '9'.repeat(32) as Sid } };
    mine.add(last);
    mine.follow(listing(last), order(3));
    const peers = book();
    const inEffect = [chain(3, 1)];
    peers.hear(presenceBy(peer, 1), [], NOW);
    mine.settle(inEffect, peers.all(), 0);
    expect(mine.addressable).toHaveLength(3); // the peer may address each of them
    peers.hear(presenceBy(peer, 2), [inEffect[0]!.id], NOW);
    mine.settle(inEffect, peers.all(), 0);
    expect(mine.addressable.map(({ own: each }) => each)).toEqual([last]);
  });

  test('settle() drops it all the same when it is older than can matter', () => {
    const mine = statements([own, order(1)], [renewed, order(3)]);
    mine.settle([], book().all(), NOW + 1);
    expect(mine.listed.map(({ own: each }) => each)).toEqual([renewed]);
  });
});
