// Vectors of joining (PROTOCOL 3.1 and 3.2): the subject of a node, the challenges of a conductor, and what
// a quote is bound to.
import { fromB64url, hex, sha256, utf8 } from '#agent/base/bytes.ts';
import { Challenges } from '#agent/epochs/challenges.ts';
import { nodeToken } from '#agent/epochs/subjects.ts';
import { qualifyingData } from '#attest/binding.ts';
import { RECEIVER, SOURCE, seed } from './cast.ts';
import type { Vector } from './vector.ts';

export function joiningVectors(): Vector[] {
  const [basis, random] = [seed('basis'), seed('random')];
  const statement = Buffer.from('{"v":1}');
  return [
    ...[SOURCE, RECEIVER].map(({ node }) => ({
      name: node,
      compute: 'subject',
      given: { node },
      expect: { token: utf8(nodeToken(node)) },
    })),
    ...[0, 123_456_789_012].map(challengeVector),
    {
      name: 'of a quote',
      compute: 'extraData',
      given: { basis, random, statement },
      expect: {
        challenge: sha256(basis, random),
        extraData: qualifyingData({ basis: hex(basis), random }, sha256(statement)),
      },
    },
  ];
}

function challengeVector(timeMs: number): Vector {
  const { node } = SOURCE;
  const [key, salt] = [seed('challenge key'), seed('challenge salt', 10)];
  const drawn = [key, salt];
  const challenges = new Challenges(
    { monoMs: () => timeMs },
    () => drawn.shift() ?? Buffer.alloc(0),
  );
  return {
    name: `given at ${timeMs} ms`,
    compute: 'joinRandom',
    given: { key, timeMs, salt, node },
    expect: { random: fromB64url(challenges.give(node)) },
  };
}
