// Vectors of chains (PROTOCOL 4.2 to 4.4), by proxy/chips/.
import type { NodeName, Slot } from '#agent/base/brands.ts';
import {
  chainIdOf,
  endpoint,
  epochStep,
  headerKeyOf,
  kidOf,
  lanePort,
  presenceCheck,
  rootCommit,
  tick,
} from '#proxy/chips/chain.ts';
import { CHIPS, chipsAlgorithm } from '#proxy/chips/registry.ts';
import { ChainWindow } from '#proxy/chips/window.ts';
import { laneSecret } from '#proxy/see/keys.ts';
import { CHAIN, PAIR, RECEIVER, SLOT, SOURCE, seed } from './cast.ts';
import type { Vector } from './vector.ts';

/** Ends whose names are as short and as long as names can be. */
const ENDS = [SOURCE, RECEIVER, { ...RECEIVER, node: 'n'.repeat(253) as NodeName }];
/** Ids on both sides of those that are listed. */
const UNKNOWN = [0, 9, 16, 25, 32, 41, 255];
const WHOLE_RANGE = { base: 0, span: 2 ** 32 };

export function chainVectors(): Vector[] {
  return [...tickVectors(), ...ENDS.flatMap(endVectors), ...stepVectors(), ...keyVectors()];
}

/** Slots on both sides of where 32 bits end. */
const tickVectors = (): Vector[] =>
  [0, SLOT, 2 ** 32 - 1, 2 ** 40].map((slot) => ({
    name: `from slot ${slot}`,
    compute: 'tick',
    given: { chain: CHAIN, slot },
    expect: { next: tick(CHAIN, slot as Slot) },
  }));

function endVectors({ node, sid }: (typeof ENDS)[number]): Vector[] {
  const end = endpoint(node, sid);
  const given = { chain: CHAIN, node, sid };
  const name = `a name of ${node.length} characters`;
  return [
    { name, compute: 'end', given: { node, sid }, expect: { end } },
    { name, compute: 'kid', given, expect: { kid: kidOf(CHAIN, end) } },
    { name, compute: 'headerKey', given, expect: { headerKey: headerKeyOf(CHAIN, end) } },
    { name, compute: 'check', given, expect: { check: presenceCheck(CHAIN, node, sid) } },
    ...[0, 3].map((hop) => ({
      name: `${name}, hop ${hop}`,
      compute: 'port',
      given: { ...given, hop },
      expect: { draw: lanePort(CHAIN, node, sid, hop, WHOLE_RANGE) },
    })),
  ];
}

function stepVectors(): Vector[] {
  const [beacon, recordHash] = [seed('beacon'), seed('record')];
  const given = { parent: CHAIN, beacon, recordHash };
  return [
    ...CHIPS.map((algorithm) => ({
      name: algorithm.name,
      compute: 'epochStep',
      given: { algorithm: algorithm.id, ...given },
      expect: { chain: epochStep(algorithm, CHAIN, beacon, recordHash) },
    })),
    ...UNKNOWN.map((algorithm) => {
      if (chipsAlgorithm(algorithm)) throw new Error(`not refused: ${algorithm}`);
      const name = `the unknown id ${algorithm}`;
      return { name, compute: 'epochStep', given: { algorithm, ...given }, refused: '4.4' };
    }),
  ];
}

function keyVectors(): Vector[] {
  const window = new ChainWindow({ slot: SLOT, key: CHAIN, now: SLOT });
  const [recordHash, root] = [seed('record'), seed('root')];
  return [
    {
      name: 'of the present slot',
      compute: 'update',
      given: { chain: CHAIN },
      expect: { update: window.updateKey(SLOT) },
    },
    {
      name: 'of a pair',
      compute: 'laneSecret',
      given: { chain: CHAIN, pair: PAIR },
      expect: { ls: laneSecret(CHAIN, PAIR) },
    },
    {
      name: 'of a record',
      compute: 'chainId',
      given: { recordHash },
      expect: { chainId: chainIdOf(recordHash) },
    },
    {
      name: 'of a root',
      compute: 'rootCommit',
      given: { root },
      expect: { rootCommit: rootCommit(root) },
    },
  ];
}
