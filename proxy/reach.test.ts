import { describe, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { snapshot } from './plane.fixture.ts';
import { Reach } from './reach.ts';
import type { Peer } from './snapshot.ts';
import { TwoNodes } from './twoNodes.fixture.ts';

const two = new TwoNodes({ periodMs: 10_000 });
const [open] = two.snapshot(two.a, two.b).peers;
if (!open) throw new Error('no peer');
const peer = (name: string, isOpen: boolean): Peer => ({
  ...open,
  node: name as NodeName,
  send: isOpen ? open.send : { refused: 'not yet' },
});
const told = (version: number, peers: readonly Peer[]): ReturnType<typeof snapshot> => ({
  ...snapshot(version, 1),
  peers,
});

describe('Reach', () => {
  it('knows only peers of the snapshot that is in use', () => {
    const reach = new Reach();
    reach.tell(told(1, [peer('b', false)]), -1);
    reach.tell(told(2, [peer('b', true), peer('c', false)]), -1);
    reach.tell(told(3, [peer('c', true)]), 1);
    expect([-1, 0, 1, 2, 3, 9].map((acked) => [...reach.nodes(acked)])).toEqual([
      [],
      [],
      [],
      ['b'],
      ['c'],
      ['c'],
    ]);
  });

  it('knows nobody for a node that may carry nothing', () => {
    const reach = new Reach();
    const made = told(1, [peer('b', true)]);
    reach.tell({ ...made, self: { ...made.self, trusted: false } }, -1);
    expect(reach.nodes(1).size).toBe(0);
  });

  it('keeps the one in use however many wait, and of those the newest', () => {
    const reach = new Reach();
    reach.tell(told(1, [peer('b', true)]), -1);
    for (let version = 2; version < 1000; version += 1) reach.tell(told(version, []), 1);
    expect([...reach.nodes(1)]).toEqual(['b']);
    expect(reach.nodes(999).size).toBe(0);
  });
});
