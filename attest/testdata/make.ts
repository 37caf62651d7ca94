// Makes evidence.json, the fixture of the unit tests: one node's policy, enrolment and evidence, from a
// software TPM. Run it with `node attest/testdata/make.ts` when the format of one of them changes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeSigningPublic,
  generateSigningKey,
  type SigningKey,
} from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, hex, utf8 } from '#agent/base/bytes.ts';
import { run } from '#agent/base/run.ts';
import { documentHash, type SignedDocument } from '#agent/base/signed.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import { enrolNode } from '#attest/enrol.ts';
import type { Enrolment } from '#attest/enrolment.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { collectEvidence, type Evidence } from '#attest/evidence.ts';
import { quotedPcrs, readPolicy, signPolicy, type AttestationPolicy } from '#attest/policy.ts';
import { openTpm } from '#attest/tpm/tpm.ts';
import { BOOT } from './boot.ts';
import { createSwtpm, SWTPM_BANKS } from './swtpm.ts';

export interface Fixture {
  /** base64url of the owner's public halves. */
  readonly owner: string;
  readonly policy: SignedDocument<AttestationPolicy>;
  readonly enrolment: SignedDocument<Enrolment>;
  readonly evidence: Evidence;
}

const eventLog = (): Promise<Buffer> => Promise.resolve(writeEventLog(BOOT, SWTPM_BANKS));

export const FIXTURE_NODE = 'node-a' as NodeName;
export const FIXTURE_DOMAIN = 'example.org';
export const FIXTURE_CLUSTER = 'test';

/** A policy, an enrolment under it and evidence on its hash for `statement`, from a software TPM in `dir`. */
export async function makeFixture(
  dir: string,
  owner: SigningKey,
  nowMs: number,
  statement = utf8('{"node":"node-a"}'),
): Promise<Fixture> {
  await using swtpm = await createSwtpm(dir);
  await swtpm.measure(BOOT);
  await using tpm = openTpm({ tcti: swtpm.tcti, run, workDir: join(dir, 'work') });
  const place = { domain: FIXTURE_DOMAIN, cluster: FIXTURE_CLUSTER };
  const signed = signPolicy({ ...place, issuedAt: nowMs, algorithms: [1] }, owner);
  const policy = readPolicy(signed, [owner.public]);
  const { certificates: ekAuthorities } = await readEkAuthorities(swtpm.caDir);
  const { document } = await enrolNode({
    tpm,
    ekAuthorities,
    policy,
    eventLog,
    owner,
    node: FIXTURE_NODE,
    nowMs,
  });
  const evidence = await collectEvidence({
    tpm,
    eventLog,
    bank: policy.bank,
    pcrs: quotedPcrs(policy),
    statement,
    challenge: { basis: hex(documentHash(signed)), random: Buffer.alloc(32, 7) },
  });
  const ownerText = b64url(encodeSigningPublic(owner.public));
  return { owner: ownerText, policy: signed, enrolment: document, evidence };
}

if (import.meta.main) {
  const dir = await mkdtemp(join(tmpdir(), 'tl-fixture-'));
  try {
    const fixture = await makeFixture(dir, generateSigningKey(), Date.now());
    const file = join(import.meta.dirname, 'evidence.json');
    await writeFile(file, `${JSON.stringify(fixture, null, 2)}\n`);
  } finally {
    await rm(dir, { recursive: true });
  }
}
