// Vectors of joining (PROTOCOL 3.1, 3.2, 3.7 and 3.10): the names of a cluster on the bus, the challenges of a conductor,
// and what a quote is bound to.
import { fromB64url, hex, sha256 } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { documentHash } from '#agent/base/signed.ts';
import { Challenges } from '#agent/epochs/challenges.ts';
import { evidenceKey } from '#agent/epochs/examiner.ts';
import { addressToken, MESSAGE_BYTES, nodeToken, subjectsOf } from '#agent/epochs/subjects.ts';
import { qualifyingData } from '#attest/binding.ts';
import { DELEGATION_KIND } from '#attest/delegation.ts';
import { endorsementData } from '#attest/endorsed.ts';
import type { LaneEnd } from '#proxy/see/keys.ts';
import { CLUSTER, RECEIVER, SOURCE, seed } from './cast.ts';
import { DELEGATION, ENROLMENT } from './enrolments.ts';
import type { Vector } from './vector.ts';

export function joiningVectors(): Vector[] {
  const [basis, random] = [seed('basis'), seed('random')];
  const statement = Buffer.from('{"v":1}');
  return [
    busNamesVector(SOURCE, RECEIVER),
    busNamesVector(RECEIVER, SOURCE),
    ...[0, 123_456_789_012].map(challengeVector),
    endorsementVector(),
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

/** No signature is needed to hash a delegation. */
function endorsementVector(): Vector {
  const document = { v: 1, kind: DELEGATION_KIND, payload: DELEGATION, signatures: [] } as const;
  return {
    name: 'of an endorser',
    compute: 'endorsementData',
    given: { payload: ENROLMENT, document },
    expect: {
      payloadHash: sha256(jcs(ENROLMENT)),
      delegationHash: documentHash(document),
      extraData: endorsementData(ENROLMENT, document),
    },
  };
}

function busNamesVector({ node, sid }: LaneEnd, { node: asker }: LaneEnd): Vector {
  const names = subjectsOf(CLUSTER);
  const address = '2001:db8:0:2::9';
  const { streams, buckets } = names;
  const subjects = {
    record: names.record,
    sealed: names.sealed(node),
    presence: names.presence(node),
    workloads: names.workloads(node),
    join: names.join(node),
    meet: names.meet(node, asker),
    enrol: names.enrol(node, asker),
    address: names.address(address, node),
    revocation: names.revocation(node),
  };
  return {
    name: node,
    compute: 'busNames',
    given: { cluster: CLUSTER, node, sid, asker, address },
    expect: {
      token: nodeToken(node),
      addressToken: addressToken(address),
      evidenceKey: evidenceKey(node, sid),
      subjects,
      streams,
      buckets,
      atMost: MESSAGE_BYTES,
    },
  };
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
