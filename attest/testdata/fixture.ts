// The committed fixture, parsed: what a verifier has in hand for one good node.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSigningPublic } from '#agent/base/asymmetric.ts';
import { fromB64url, sha256 } from '#agent/base/bytes.ts';
import { readEnrolment } from '#attest/enrolment.ts';
import { readPolicy } from '#attest/policy.ts';
import type { AppraisalRequest } from '#attest/verify.ts';
import { FIXTURE_CLUSTER, FIXTURE_DOMAIN, FIXTURE_NODE, type Fixture } from './make.ts';

export const fixture = JSON.parse(
  readFileSync(join(import.meta.dirname, 'evidence.json'), 'utf8'),
) as Fixture;

export const fixtureOwners = [decodeSigningPublic(fromB64url(fixture.owner))];

/** Everything in order: appraised unchanged, it is affirming. */
export const goodRequest = {
  evidence: fixture.evidence,
  expected: {
    node: FIXTURE_NODE,
    domain: FIXTURE_DOMAIN,
    cluster: FIXTURE_CLUSTER,
    statementHash: sha256(fromB64url(fixture.evidence.statement)),
  },
  enrolment: readEnrolment(fixture.enrolment, fixtureOwners),
  policy: readPolicy(fixture.policy, fixtureOwners),
  acceptableBases: (basis: string): boolean => basis === fixture.evidence.challenge.basis,
  nowMs: 1_800_000_000_000,
} satisfies AppraisalRequest;
