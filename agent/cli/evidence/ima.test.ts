// `tidelock evidence ima` as a person runs it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { asciiList, binaryList, fileEntries, pcr10After } from '#attest/testdata/imaEntries.ts';
import { noVectors, vectorDirectory } from '#attest/testdata/vectors.ts';

const entries = fileEntries(3);
const reached = pcr10After(entries.slice(0, 2), 'sha256');

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-ima-'));
  await writeFile(join(dir, 'ascii'), asciiList(entries));
  await writeFile(join(dir, 'binary'), binaryList(entries, 'sha256'));
  const edited = asciiList(entries).toString().replace('program-1', 'program-x');
  await writeFile(join(dir, 'edited'), edited);
  await writeFile(join(dir, 'cut'), binaryList(entries).subarray(0, -1));
});
afterAll(() => rm(dir, { recursive: true }));

const evidenceIma = (...argv: string[]) => callIn(dir, ['evidence', 'ima', ...argv]);

describe('tidelock evidence ima', () => {
  it.each(['ascii', 'binary'])('prints one document about a list in %s', async (form) => {
    const { exit, out } = await evidenceIma(form, '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      apiVersion: 'tidelock/v1',
      kind: 'ImaEvidence',
      form,
      entries: 4,
      templates: { 'ima-ng': 4 },
      pcrs: { sha512: { '10': pcr10After(entries, 'sha512') } },
      violations: 0,
      mismatches: 0,
      bootAggregate: { zero: false },
      findings: [],
    });
  });

  it('finds the part of the list that leads to --pcr10', async () => {
    const { exit, out } = await evidenceIma('ascii', '--pcr10', reached, '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ matched: { entries: 2, extendedBy: 'bank hash' } });
  });

  it('ends with 3 when the register is not reached', async () => {
    const { exit, out } = await evidenceIma('ascii', '--pcr10', 'ab'.repeat(32), '-o', 'json');
    expect(exit).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      matched: null,
      findings: [{ code: 'PCR_NOT_REACHED', severity: 'error' }],
    });
  });

  it('takes the register of another bank by its name alone', async () => {
    const sha384 = pcr10After(entries, 'sha384');
    expect((await evidenceIma('ascii', '--pcr10', sha384, '--bank', 'sha384')).exit).toBe(0);
    expect((await evidenceIma('ascii', '--pcr10', sha384)).exit).toBe(2);
  });

  it('ends with 3 for an altered entry, and names it', async () => {
    const { exit, out } = await evidenceIma('edited');
    expect(exit).toBe(3);
    expect(out).toMatch(
      /^error {4}TEMPLATE_HASH_MISMATCH {2}entry 2 \(ima-ng \/usr\/bin\/program-x\)/m,
    );
  });

  it('ends with 4 for what is no list', async () => {
    const { exit, err } = await evidenceIma('cut');
    expect(exit).toBe(4);
    expect(err).toContain('EVIDENCE_MALFORMED');
  });

  it.each([
    ['a bank without a register', ['ascii', '--bank', 'sha1'], '--pcr10, which is missing'],
    ['an unknown bank', ['ascii', '--pcr10', reached, '--bank', 'md5'], '--bank is "md5"'],
  ])('refuses %s', async (_, argv, state) => {
    const { exit, err } = await evidenceIma(...argv);
    expect(exit).toBe(2);
    expect(err).toContain(state);
  });

  it.skipIf(noVectors !== undefined)(
    `ties a real list to its boot ${noVectors ?? ''}`,
    async () => {
      const log = join(process.cwd(), vectorDirectory('eventlog/imaevm'));
      const { exit, out } = await evidenceIma(
        join(process.cwd(), vectorDirectory('ima/imaevm_sample.ascii')),
        '--eventlog',
        join(log, 'sample-binary_bios_measurements-pcrs-8-9'),
      );
      expect(exit).toBe(0);
      expect(out).not.toContain('BOOT_AGGREGATE');
      expect(out).toMatch(/^boot {12}that of the event log: .* its PCR 0-[79]$/m);
    },
  );
});
