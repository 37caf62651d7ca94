// Attestation whole, against real software TPMs: enrolment, evidence, appraisal, and each way to cheat
// that a TPM lets one try (ATTESTATION traps).
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, fromB64url, hex, sha256, utf8 } from '#agent/base/bytes.ts';
import { run } from '#agent/base/run.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { createSwtpm, SWTPM_BANKS, type Swtpm } from '#attest/testdata/swtpm.ts';
import { eventTypeNumber } from '#attest/eventlog/types.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { openTpm, type Tpm } from '#attest/tpm/tpm.ts';
import { qualifyingData } from './binding.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import { enrolNode } from './enrol.ts';
import { readEnrolment, type Enrolment } from './enrolment.ts';
import { collectEvidence, type Evidence } from './evidence.ts';
import { quotedPcrs, readPolicy, signPolicy } from './policy.ts';
import { isAuthentic, verifyEvidence, type Appraisal, type AppraisalRequest } from './verify.ts';

const NODE = 'node-a' as NodeName;
const NOW = Date.now();
const owner = generateSigningKey();
const place = { domain: 'example.org', cluster: 'test' };
const policy = readPolicy(signPolicy({ ...place, issuedAt: NOW, algorithms: [1] }, owner), [
  owner.public,
]);
const statement = utf8('{"node":"node-a","keys":"of this agent"}');
const challenge = { basis: hex(sha256(utf8('newest record'))), random: Buffer.alloc(32, 5) };
const log = writeEventLog(BOOT, SWTPM_BANKS);
const eventLog = (): Promise<Buffer> => Promise.resolve(log);

let dir = '';
let swtpm: Swtpm;
let other: Swtpm;
let tpm: Tpm;
let otherTpm: Tpm;
let enrolment: Enrolment;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-attest-'));
  swtpm = await createSwtpm(join(dir, 'a'));
  other = await createSwtpm(join(dir, 'b'));
  tpm = openTpm({ tcti: swtpm.tcti, run, workDir: join(dir, 'work-a') });
  otherTpm = openTpm({ tcti: other.tcti, run, workDir: join(dir, 'work-b') });
  await boot();
  enrolment = readEnrolment((await enrol(tpm, swtpm)).document, [owner.public]);
});

beforeEach(boot);

afterAll(async () => {
  for (const each of [tpm, otherTpm, swtpm, other]) await each[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

/** Power off and on, and the same firmware again. */
async function boot(): Promise<void> {
  for (const each of [swtpm, other]) {
    await each.stop();
    await each.start();
    await each.measure(BOOT);
  }
}

const enrol = async (from: Tpm, { caDir }: Swtpm) =>
  enrolNode({
    tpm: from,
    ekAuthorities: (await readEkAuthorities(caDir)).certificates,
    policy,
    eventLog,
    owner,
    node: NODE,
    nowMs: Date.now(),
  });

const collect = (from: Tpm = tpm): Promise<Evidence> =>
  collectEvidence({
    tpm: from,
    statement,
    challenge,
    bank: policy.bank,
    pcrs: quotedPcrs(policy),
    eventLog,
  });

const judge = (evidence: Evidence, change: Partial<AppraisalRequest> = {}): Appraisal =>
  verifyEvidence({
    evidence,
    expected: { ...place, node: NODE, statementHash: sha256(statement) },
    enrolment,
    policy,
    acceptableBases: (basis) => basis === challenge.basis,
    nowMs: NOW,
    ...change,
  });

const failures = ({ checks }: Appraisal): Record<string, string> =>
  Object.fromEntries(
    checks.filter(({ result }) => result === 'fail').map(({ name, text }) => [name, text]),
  );

it('a node that boots as enrolled is affirming, boot after boot, its clock going on', async () => {
  const first = judge(await collect());
  expect(failures(first)).toEqual({});
  expect(first.verdict).toBe('affirming');
  await boot();
  const second = judge(await collect(), { previousClock: first.clock });
  expect(second).toMatchObject({ verdict: 'affirming', pcrs: first.pcrs });
  expect(second.clock?.resetCount).toBeGreaterThan(first.clock?.resetCount ?? Infinity);
});

it('enrolNode() refuses a TPM whose maker the owners do not know', async () => {
  await expect(enrol(tpm, other)).rejects.toMatchObject({
    code: 'ENROLMENT_REFUSED',
    message: expect.stringContaining('its issuer "CN=swtpm-localca" is not among the 2') as string,
  });
});

it('enrolNode() refuses a certificate of another TPM', async () => {
  const stolen: Tpm = { ...tpm, ekCertificate: () => otherTpm.ekCertificate() };
  await expect(enrol(stolen, other)).rejects.toMatchObject({
    code: 'ENROLMENT_REFUSED',
    message: 'Cannot enrol node-a: the TPM does not hold the key of its EK certificate',
  });
});

it('enrolNode() refuses a bank into which nothing was measured', async () => {
  await swtpm.stop();
  await swtpm.start();
  await expect(enrol(tpm, swtpm)).rejects.toMatchObject({
    code: 'ENROLMENT_REFUSED',
    message: expect.stringContaining('nothing was ever measured into PCR 0 to 7') as string,
  });
});

it('cuckoo: evidence from another TPM is contraindicated, though that TPM is honest', async () => {
  await otherTpm.ensureAk();
  const appraisal = judge(await collect(otherTpm));
  expect(appraisal).toMatchObject({ verdict: 'contraindicated', pcrs: {} });
  expect(Object.keys(failures(appraisal))).toEqual(['endorsement key', 'attestation key']);
  expect(isAuthentic(appraisal)).toBe(false);
});

it('cuckoo: the quote of another TPM under the enrolled names is contraindicated', async () => {
  const [own, foreign] = [await collect(), await collect(otherTpm)];
  const appraisal = judge({ ...own, quote: foreign.quote });
  expect(Object.keys(failures(appraisal))).toEqual(['quote signature']);
});

it('relay: a quote taken for another agent’s keys is contraindicated', async () => {
  const evidence = await collect();
  const theirs = utf8('{"node":"node-a","keys":"of an attacker"}');
  const appraisal = judge(
    { ...evidence, statement: b64url(theirs) },
    { expected: { ...place, node: NODE, statementHash: sha256(theirs) } },
  );
  expect(Object.keys(failures(appraisal))).toEqual(['nonce']);
});

it('GetTime passed off as a quote is contraindicated', async () => {
  const evidence = await collect();
  const file = (name: string): string => join(dir, name);
  const nonce = hex(qualifyingData(challenge, sha256(statement)));
  const outputs = ['--attestation', file('time.msg'), '-o', file('time.sig'), '-f', 'tss'];
  await swtpm.tool('gettime', '-c', '0x81010100', '-g', 'sha256', '-q', nonce, ...outputs);
  const [message, signature] = [await readFile(file('time.msg')), await readFile(file('time.sig'))];
  const quote = { message: b64url(message), signature: b64url(signature) };
  expect(failures(judge({ ...evidence, quote }))).toEqual({
    'quote format':
      'The key signed a TPM_ST_ATTEST_TIME, which is no quote and says nothing about PCRs.',
  });
});

it('bank confusion: a quote of SHA-1 registers is contraindicated', async () => {
  const evidence = await collect();
  const pcrs = quotedPcrs(policy);
  const binding = qualifyingData(challenge, sha256(statement));
  const taken = await tpm.quote({ bank: 'sha1', pcrs, qualifyingData: binding });
  const quote = { message: b64url(taken.message), signature: b64url(taken.signature) };
  expect(Object.keys(failures(judge({ ...evidence, quote })))).toContain('PCR selection');
});

it('a PCR extended behind the agent’s back is contraindicated, with the PCR and why', async () => {
  await swtpm.tool('pcrextend', `4:sha256=${'ab'.repeat(32)}`);
  const appraisal = judge(await collect());
  expect(appraisal.verdict).toBe('contraindicated');
  expect(isAuthentic(appraisal)).toBe(true);
  expect(failures(appraisal)['PCR 4']).toMatch(
    /^PCR 4 \(boot loader\): sha256 [0-9a-f]{16}\.\. is not the enrolled [0-9a-f]{16}\.\.; extended after boot, not in the event log\./,
  );
  await boot();
  expect(judge(await collect()).verdict).toBe('affirming');
});

it('power cuts do not lock the attestation key out', async () => {
  for (let cut = 0; cut < 8; cut += 1) {
    await collect();
    await boot();
  }
  expect(judge(await collect()).verdict).toBe('affirming');
});

it('PCR 10 may move as IMA pleases', async () => {
  await swtpm.tool('pcrextend', `10:sha256=${'cd'.repeat(32)}`);
  expect(judge(await collect()).verdict).toBe('affirming');
});

it('an event type changed in the log changes no verdict, for no digest covers it', async () => {
  const evidence = await collect();
  const edited = Buffer.from(log);
  edited.writeUInt32LE(eventTypeNumber('EV_IPL'), 32 + log.readUInt32LE(28) + 4);
  expect(fromB64url(evidence.eventLog).equals(edited)).toBe(false);
  expect(judge({ ...evidence, eventLog: b64url(edited) }).verdict).toBe('affirming');
});

it('a TPM that was cleared has its key again, but its clock went back', async () => {
  const before = judge(await collect());
  await swtpm.tool('clear', '-c', 'p');
  await expect(collect()).rejects.toMatchObject({ code: 'TPM_COMMAND' });
  const evidence = await collect();
  expect(judge(evidence).verdict).toBe('affirming');
  const after = judge(evidence, { previousClock: before.clock });
  expect(Object.keys(failures(after))).toEqual(['TPM clock']);
});
