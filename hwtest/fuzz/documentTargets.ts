// Targets that are documents of our own or of other verifiers: reports, policies, enrolments.
import { utf8 } from '#agent/base/bytes.ts';
import { readEnrolment } from '#attest/enrolment.ts';
import { readPolicy } from '#attest/policy.ts';
import { openReport } from '#attest/reportOpen.ts';
import { verifyReport } from '#attest/reportVerify.ts';
import { fixture, fixtureOwners } from '#attest/testdata/fixture.ts';
import { goodQuestion, reportBytes } from '#attest/testdata/reportFixture.ts';
import { malformed } from '#attest/cursor.ts';
import { judge, parser, type Target } from './target.ts';

const reports = (): Buffer[] => [Buffer.from(reportBytes())];
const documents = (document: object) => (): Buffer[] => [
  Buffer.from(utf8(JSON.stringify(document))),
];

export const DOCUMENT_TARGETS: readonly Target[] = [
  parser('report', reports, openReport),
  judge('report, judged', reports, (bytes) => {
    const { told } = verifyReport({ ...goodQuestion, bytes });
    return told && JSON.stringify([told.body.node, told.pcrs, told.ekChain]);
  }),
  parser('owner policy', documents(fixture.policy), (bytes) =>
    readPolicy(jsonOf(bytes), fixtureOwners),
  ),
  parser('enrolment', documents(fixture.enrolment), (bytes) =>
    readEnrolment(jsonOf(bytes), fixtureOwners),
  ),
];

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw malformed('document', 'no JSON', cause);
  }
}
