// Reports of a running agent: what it answers, what it leaves on disk, and that neither can stop it.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { utf8 } from '#agent/base/bytes.ts';
import { canonical } from '#agent/base/jcs.ts';
import { drawStatement, type OwnStatement } from '#agent/epochs/statement.ts';
import { ownersIn, reportAnswerSchema } from '#agent/report/answer.ts';
import { reportFixture, reportOwner } from '#attest/testdata/reportFixture.ts';
import { openReport } from '#attest/reportOpen.ts';
import { createLog } from './log.ts';
import { Reporting } from './reporting.ts';

const NOW = Date.parse('2026-11-22T05:00:00.000Z');
const { evidence, policy, enrolment } = reportFixture;

let dir: string;
let own: OwnStatement;
let nowMs: number;
let lines: string[];
let made: Reporting[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-reporting-'));
  nowMs = NOW;
  lines = [];
  made = [];
  own = drawStatement({
    domain: 'example.org',
    cluster: 'test',
    node: 'node-a' as NodeName,
    algorithms: [1],
    issuedAtMs: NOW,
    nonce: Buffer.alloc(16),
  });
});
afterEach(async () => {
  for (const reports of made) await reports.close(); // else it writes into what is being removed
  await rm(dir, { recursive: true });
});

function reporting(directory = join(dir, 'reports')): Reporting {
  const clock: Clock = { wallMs: () => nowMs, monoMs: () => nowMs, after: () => () => undefined };
  const reports = new Reporting({
    directory,
    domain: 'example.org',
    cluster: 'test',
    node: 'node-a' as NodeName,
    owners: [reportOwner],
    policy,
    enrolment,
    facts: () => ({ agent: { version: '1' } }),
    clock,
    log: createLog({ level: 'debug', clock, write: (line) => void lines.push(line) }),
  });
  made.push(reports);
  return reports;
}

/** Evidence that speaks for `own`, as far as a report's maker looks at it. */
const evidenceOf = ({ statement }: OwnStatement) => ({
  ...evidence,
  statement: b64url(statement.bytes),
});

const attest = (reports: Reporting): void => {
  reports.taken(evidenceOf(own));
  reports.attested(own);
};

it('Reporting answers with a report by the present keys, made for that answer, and its owners', () => {
  const reports = reporting();
  attest(reports);
  nowMs += 5000;
  const answer = reportAnswerSchema.parse(JSON.parse(JSON.stringify(reports.answer())));
  expect(ownersIn(answer)).toEqual(
    [reportOwner].map(({ ed25519, mldsa65 }) => ({ ed25519, mldsa65 })),
  );
  const { signed } = openReport(utf8(`${canonical(answer.report ?? null)}\n`));
  expect(signed?.body).toMatchObject({ issuedAt: NOW + 5000, attestedAt: NOW, node: 'node-a' });
  expect(signed?.keyId).toBe(own.sign.keyId);
});

it('Reporting says so while there is no attestation that held', () => {
  const reports = reporting();
  reports.taken(evidenceOf(own));
  expect(reports.answer()).toMatchObject({
    reason: expect.stringContaining('not attested') as string,
  });
  expect(reports.answer().report).toBeUndefined();
});

it('Reporting ignores a statement that the evidence taken last does not speak for', () => {
  const reports = reporting();
  reports.taken(evidence);
  reports.attested(own);
  expect(reports.answer().report).toBeUndefined();
});

it('Reporting gives no older report once evidence did not hold, and one again when it does', () => {
  const reports = reporting();
  attest(reports);
  reports.taken(evidence);
  expect(reports.answer().report).toBeUndefined();
  attest(reports);
  expect(reports.answer().report).toBeDefined();
});

it('Reporting leaves one file an attestation, whole, and keeps the newest 48', async () => {
  const reports = reporting();
  for (let i = 0; i < 51; i += 1) {
    nowMs = NOW + i * 1000;
    attest(reports);
    await reports.close();
  }
  await writeFile(join(dir, 'reports', 'notes.txt'), 'not a report');
  attest(reports);
  await reports.close();
  const files = (await readdir(join(dir, 'reports'))).toSorted();
  expect(files).toHaveLength(49);
  expect([files[0], files[47], files[48]]).toEqual([
    '2026-11-22T050003.000Z.json',
    '2026-11-22T050050.000Z.json',
    'notes.txt',
  ]);
  const last = await readFile(join(dir, 'reports', '2026-11-22T050050.000Z.json'));
  expect(openReport(last).signed?.body.issuedAt).toBe(nowMs);
});

it('Reporting that cannot write says so and goes on answering', async () => {
  await writeFile(join(dir, 'reports'), 'in the way');
  const reports = reporting();
  attest(reports);
  await reports.close();
  expect(lines.join('')).toContain('FILE_UNWRITABLE');
  expect(reports.answer().report).toBeDefined();
});
