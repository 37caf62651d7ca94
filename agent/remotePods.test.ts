import { describe, expect, it } from 'vitest';
import type { NodeName, SpiffeId } from '#agent/base/brands.ts';
import { PeerBook } from '#agent/epochs/peers.ts';
import { appraisalOf, drawNode, NOW_MS, recordBy } from '#agent/epochs/records.fixture.ts';
import { Bounds } from './bounds.ts';
import { remotesOf, unattestedOf } from './remotePods.ts';

const b = drawNode('node-b');
const { record } = recordBy(b);
const spiffeId = 'spiffe://example.org/c/shop/db' as SpiffeId;

const boundsOf = (...podNetworks: string[]) =>
  new Bounds({
    config: { lanes: { address: '198.18.0.11', podNetworks, unmeshedExcept: [] } },
    inventory: { pods: () => [], services: () => [] },
  });
const anywhere = boundsOf();

/** A book in which node b is accepted and has announced one pod. */
function bookOfB(): PeerBook {
  const book = new PeerBook();
  const { statement } = b;
  const { node, sid } = statement;
  const entry = {
    v: 1,
    statement: '',
    evidenceDigest: '0'.repeat(64),
    verdict: 'affirming',
    level: 'tpm',
    receipt: { conductor: sid, at: NOW_MS },
    expiresAt: NOW_MS + 60_000,
  } as const;
  book.accept(node, { statement, entry, appraisal: appraisalOf('affirming'), listedBy: record });
  book.peer(node).directory = {
    v: 1,
    node,
    sid,
    seq: 1,
    lane: { address: '198.18.0.12', port: 15_008 },
    pods: [{ uid: 'uid-db', ips: ['198.19.2.10'], spiffeId, ports: [] }],
  };
  return book;
}

describe('remotesOf() and unattestedOf()', () => {
  it('route to the pods of a node while it is accepted, and keep them apart from then on', () => {
    const book = bookOfB();
    const node = 'node-b' as NodeName;
    expect(remotesOf(book.peer(node), anywhere)).toEqual([
      { uid: 'uid-db', node, spiffeId, ips: ['198.19.2.10'] },
    ]);
    expect(unattestedOf(book.peer(node), anywhere)).toEqual([]);
    book.refuse(node, 'it left the roster');
    expect(remotesOf(book.peer(node), anywhere)).toEqual([]);
    expect(unattestedOf(book.peer(node), anywhere)).toEqual([{ node, ips: ['198.19.2.10'] }]);
  });

  it('take no address out of bounds from a node, whether it is accepted or not', () => {
    const book = bookOfB();
    const node = 'node-b' as NodeName;
    const elsewhere = boundsOf('10.0.0.0/8');
    expect(remotesOf(book.peer(node), elsewhere)).toMatchObject([{ uid: 'uid-db', ips: [] }]);
    book.refuse(node, 'it left the roster');
    expect(unattestedOf(book.peer(node), elsewhere)).toEqual([{ node, ips: [] }]);
  });

  it('know nothing of a node that has announced nothing', () => {
    const silent = new PeerBook().peer('node-c' as NodeName);
    expect([...remotesOf(silent, anywhere), ...unattestedOf(silent, anywhere)]).toEqual([]);
  });
});
