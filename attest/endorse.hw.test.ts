// Enrolment by two agents with real software TPMs: credentials that they open or do not, and quotes that everybody takes.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import { run } from '#agent/base/run.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { createSwtpm, SWTPM_BANKS, type Swtpm } from '#attest/testdata/swtpm.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import { openTpm, type Tpm } from '#attest/tpm/tpm.ts';
import { readDelegation, signDelegation, type Delegation } from './delegation.ts';
import { endorse, isSecret, readCandidate, type Candidate } from './endorse.ts';
import { ENDORSED_KIND, endorsementData, readEndorsed, type Endorsement } from './endorsed.ts';
import { enrolNode } from './enrol.ts';
import { readEnrolment, type Enrolment } from './enrolment.ts';
import { readPolicy, signPolicy } from './policy.ts';

const NAMES = ['node-a', 'node-b', 'node-c'] as const;
const STARTED_MS = Date.now();
const owner = generateSigningKey();
const owners = [owner.public];
const place = { domain: 'example.org', cluster: 'test' };
const policy = readPolicy(
  signPolicy({ ...place, issuedAt: STARTED_MS, algorithms: [1] }, owner),
  owners,
);
const terms = { owners, policy };

interface Machine {
  readonly swtpm: Swtpm;
  readonly tpm: Tpm;
  /** As an owner would sign it, here and now. */
  readonly document: SignedDocument<Enrolment>;
  readonly enrolment: Enrolment;
}

/** When everything is set up. */
let nowMs = 0;
let dir = '';
const machines: Machine[] = [];
let delegation: SignedDocument<Delegation>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-endorse-'));
  for (const name of NAMES) {
    const swtpm = await createSwtpm(join(dir, name));
    await swtpm.measure(BOOT);
    const tpm = openTpm({ tcti: swtpm.tcti, run, workDir: join(dir, `work-${name}`) });
    const { document } = await enrolNode({
      tpm,
      ekAuthorities: (await readEkAuthorities(swtpm.caDir)).certificates,
      policy,
      eventLog: () => Promise.resolve(writeEventLog(BOOT, SWTPM_BANKS)),
      owner,
      node: name as NodeName,
      nowMs: Date.now(), // its certificate was made a moment ago
    });
    machines.push({ swtpm, tpm, document, enrolment: readEnrolment(document, owners) });
  }
  nowMs = Date.now();
  delegation = signDelegation(
    {
      v: 1,
      ...place,
      issuedAt: nowMs,
      until: nowMs + 60_000,
      nodes: ['node-c'],
      ekRoots: await rootsOf(machineOf(2)),
      reference: machineOf(2).enrolment.reference,
    },
    owner,
  );
}, 180_000);

afterAll(async () => {
  for (const { tpm, swtpm } of machines) {
    await tpm[Symbol.asyncDispose]();
    await swtpm[Symbol.asyncDispose]();
  }
  await rm(dir, { recursive: true });
});

function machineOf(at: number): Machine {
  const machine = machines[at];
  if (!machine) throw new RangeError(`no machine ${at}`);
  return machine;
}

const rootsOf = async ({ swtpm }: Machine): Promise<string[]> =>
  (await readEkAuthorities(swtpm.caDir)).certificates.map(({ raw }) => b64url(raw));

async function candidateOf(ek: Tpm, ak: Tpm = ek): Promise<Candidate> {
  const found = readCandidate(
    readDelegation(delegation, owners),
    await ek.ekCertificate(),
    (await ak.ensureAk()).publicArea,
    nowMs,
  );
  if ('why' in found) throw new Error(found.why);
  return found;
}

it('two machines that an owner has enrolled enrol a third, whose TPM opens their credentials', async () => {
  const { tpm, enrolment } = machineOf(2);
  const payload: Enrolment = { ...enrolment, issuedAt: nowMs + 1 };
  const binding = endorsementData(payload, delegation);
  const endorsements: Endorsement[] = [];
  for (const each of [machineOf(0), machineOf(1)]) {
    const candidate = await candidateOf(tpm);
    expect(candidate).toMatchObject({ ekDigest: payload.ekDigest, akName: payload.akName });
    const secret = randomBytes(32);
    const found = await tpm.activateCredential(candidate.credentialOf(secret));
    expect(isSecret(secret, b64url(found))).toBe(true);
    endorsements.push(await endorse({ ...each, binding }));
  }
  const document = {
    v: 1,
    kind: ENDORSED_KIND,
    payload,
    ekCertificate: b64url(await tpm.ekCertificate()),
    delegation,
    endorsements,
  };
  const read = readEndorsed(JSON.parse(JSON.stringify(document)), terms);
  expect(read.enrolment).toEqual(payload);
  expect(read.endorsers.map(({ node }) => node)).toEqual(['node-a', 'node-b']);
});

it('a credential is opened by the TPM that it is for, with the key that it is for, and by no other', async () => {
  const [other, own] = [machineOf(0).tpm, machineOf(2).tpm];
  const secret = randomBytes(32);
  const stolen = await candidateOf(own, other); // the EK of one, the key of the other
  for (const tpm of [own, other]) {
    await expect(tpm.activateCredential(stolen.credentialOf(secret))).rejects.toMatchObject({
      code: 'TPM_COMMAND',
    });
  }
});

it('a machine of a maker whom the delegation does not name is no candidate', async () => {
  await expect(candidateOf(machineOf(1).tpm)).rejects.toThrow(/not by a maker of the delegation/);
});

it('a machine that did not boot as enrolled endorses nothing that counts', async () => {
  const machine = machineOf(0);
  await machine.swtpm.tool('pcrextend', `4:sha256=${'ab'.repeat(32)}`);
  const payload: Enrolment = { ...machineOf(2).enrolment, issuedAt: nowMs + 2 };
  const binding = endorsementData(payload, delegation);
  const endorsements = [
    await endorse({ ...machine, binding }),
    await endorse({ ...machineOf(1), binding }),
  ];
  const ekCertificate = b64url(await machineOf(2).tpm.ekCertificate());
  const document = { v: 1, kind: ENDORSED_KIND, payload, ekCertificate, delegation, endorsements };
  expect(() => readEndorsed(document, terms)).toThrow(/node-a was not as enrolled .* PCR 4/);
});
