// `tidelock verify` and `tidelock report` as a person runs them, on the files that they would have.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveControl } from '#agent/api/control.ts';
import { generateSigningKey, signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import { b64url } from '#agent/base/bytes.ts';
import { reportAnswer } from '#agent/report/answer.ts';
import { reportText } from '#attest/report.ts';
import {
  reportFixture,
  reportOwner,
  reportRoots,
  signedReport,
} from '#attest/testdata/reportFixture.ts';
import { writeOwner } from '#agent/owner.ts';
import { callIn } from './calling.fixture.ts';

const signed = signedReport();
const text = reportText(signed);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-verify-'));
  await mkdir(join(dir, 'roots'));
  await mkdir(join(dir, 'run'), { mode: 0o700 });
  await writeFile(join(dir, 'report.json'), text);
  await writeFile(join(dir, 'roots', 'tpm.pem'), reportRoots.map(String).join(''));
  await writeFile(join(dir, 'owner.pub'), ownerPub(reportOwner));
  await writeFile(join(dir, 'other.pub'), ownerPub(generateSigningKey().public));
});
afterAll(() => rm(dir, { recursive: true }));

const ownerPub = (key: SigningPublic): string =>
  JSON.stringify({
    apiVersion: 'tidelock/v1',
    kind: 'OwnerPublicKey',
    keyId: signingKeyId(key),
    ed25519: b64url(key.ed25519),
    mldsa65: b64url(key.mldsa65),
  });

const tidelock = (...argv: string[]) => callIn(dir, argv);

const OWNER = ['--owner', 'owner.pub', '--roots', 'roots'] as const;
/** The report of these tests is as old as the fixture that it is made of. */
const ARCHIVED = [...OWNER, '--at', 'issued'] as const;

describe('tidelock verify', () => {
  it('verify affirms a good report and lists every claim', async () => {
    const { exit, out, err } = await tidelock('verify', 'report.json', ...ARCHIVED);
    expect({ exit, err }).toEqual({ exit: 0, err: '' });
    expect(out).toMatch(
      /^Verdict +affirming\nAs of +[^\n]+\nNode +node-a {2}\(example\.org, cluster test\)\n/,
    );
    expect(out).toMatch(/^ {2}not checked +IMA +PCR 10 is quoted, but no IMA list is replayed/m);
  });

  it('verify -o json is one document with the verdict and each claim', async () => {
    const { exit, out } = await tidelock('verify', 'report.json', ...ARCHIVED, '-o', 'json');
    expect(exit).toBe(0);
    const document = JSON.parse(out) as { checks: object[] };
    expect(document).toMatchObject({
      apiVersion: 'tidelock/v1',
      kind: 'Verification',
      verdict: 'affirming',
      vector: {
        'instance-identity': 2,
        hardware: 2,
        configuration: 2,
        executables: 3, // IMA is not judged: approved during boot, and no word of later
        'runtime-opaque': 0,
      },
      asOf: { moment: 'issued', time: new Date(reportFixture.madeAtMs + 2000).toISOString() },
      node: { name: 'node-a', domain: 'example.org', cluster: 'test' },
      owner: signingKeyId(reportOwner),
      owners: [signingKeyId(reportOwner)],
    });
    expect(document).not.toHaveProperty('error');
    expect(document.checks).toContainEqual({
      name: 'AK belongs to EK',
      result: 'pass',
      text: expect.stringMatching(/^An owner saw the TPM/) as string,
    });
  });

  it('verify --ear on an archive makes a result that has expired, and holds as of its own time', async () => {
    await writeOwner(join(dir, 'auditor.key'), join(dir, 'auditor.pub'), generateSigningKey());
    const written = ['--ear', 'archived.jwt', '--sign', 'auditor.key'];
    expect((await tidelock('verify', 'report.json', ...ARCHIVED, ...written)).exit).toBe(0);
    const read = ['evidence', 'ear', 'archived.jwt', '--key', 'auditor.pub'];
    const now = await tidelock(...read);
    expect(now.exit).toBe(3);
    const at = / expired .* (--at \S+)\.$/m.exec(now.out)?.[1]?.split(' ') ?? [];
    const then = await tidelock(...read, ...at);
    expect(then.exit).toBe(0);
    expect(then.out).toMatch(/^verdict +affirming/);
  });

  it('verify without an owner ends with 3 and says that nothing links AK to EK', async () => {
    const { exit, out, err } = await tidelock('verify', 'report.json');
    expect(exit).toBe(3);
    expect(out).toMatch(/^ {2}not checked +AK belongs to EK /m);
    expect(err).toMatch(/^error REPORT_NOT_VERIFIED: .*its verdict is none\n {2}hint: .*--owner/);
  });

  it('verify takes several owners, one of whom signed', async () => {
    const verifyBy = (...owners: string[]) =>
      tidelock('verify', 'report.json', '--at', 'issued', ...owners);
    const { exit, out } = await verifyBy('--owner', 'other.pub', '--owner', 'owner.pub');
    expect(exit).toBe(0);
    expect(out).toMatch(new RegExp(`^Owner +${signingKeyId(reportOwner)}$`, 'm'));
    expect((await verifyBy('--owner', 'other.pub')).exit).toBe(3);
  });

  it('verify without --at judges a report as of now, and says how to ask about another time', async () => {
    const { exit, out, err } = await tidelock('verify', 'report.json', ...OWNER);
    expect(exit).toBe(3);
    expect(out).toMatch(/^As of +\S+Z, the time of this judgement$/m);
    expect(out).toMatch(/^ {2}fail +freshness +.* before now; an attestation counts for 10 min\./m);
    expect(err).toMatch(/its verdict is none\n {2}hint: freshness: .*\(--at issued\)/);
  });

  it.each([
    [['--at', 'issued'], /^As of +\S+Z, when it was signed, by the node’s own clock/m],
    [['--at', '2026-11-22T00:00:00Z'], /^As of +2026-11-22T00:00:00.000Z, as asked \(--at\)$/m],
  ])('verify %j says as of when', async (at, said) => {
    expect((await tidelock('verify', 'report.json', ...OWNER, ...at)).out).toMatch(said);
  });

  it.each([
    ['at the moment it was made', new Date(reportFixture.madeAtMs).toISOString(), 0],
    ['a year later', '2027-11-22T00:00:00Z', 3],
    ['a year before', '2025-11-22T00:00+01:00', 3],
  ])('verify judges the age of a report %s', async (_, at, code) => {
    const argv = ['verify', 'report.json', '--owner', 'owner.pub', '--at', at];
    expect((await tidelock(...argv)).exit).toBe(code);
  });

  it('verify -o json tells of a changed byte in the same document', async () => {
    await writeFile(join(dir, 'changed.json'), text.replace('swtpm', 'swtqm'));
    const { exit, out, err } = await tidelock('verify', 'changed.json', ...OWNER, '-o', 'json');
    expect({ exit, err }).toEqual({ exit: 3, err: '' });
    expect(JSON.parse(out)).toMatchObject({
      verdict: 'contraindicated',
      error: { code: 'SIGNATURE_INVALID' },
      checks: [
        { name: 'report form', result: 'pass' },
        { name: 'report signature Ed25519', result: 'fail' },
        { name: 'report signature ML-DSA-65', result: 'fail' },
        { name: 'evidence', result: 'not checked' },
      ],
    });
    expect(out).not.toContain('swtqm');
  });

  it('verify prints no control character that a report could have brought', async () => {
    const { policy } = reportFixture;
    const keyId = '\u001b[2J';
    const hostile = [
      reportText(signedReport({ enrolment: { ...reportFixture.enrolment, '\u001b[2J': 1 } })),
      reportText(signedReport({ policy: { ...policy, signatures: [{ keyId }] } })),
      `{"kind":"attestation-report","payload":{},"signatures":[],"v":1,"\\u001b[2J":1}\n`,
      '{"\\u001b[2J":1}\n',
    ];
    for (const content of hostile) {
      await writeFile(join(dir, 'hostile.json'), content);
      const { out, err } = await tidelock('verify', 'hostile.json', ...OWNER);
      expect(`${out}${err}`).not.toMatch(/(?!\n)\p{Control}/u);
    }
  });

  it.each([
    [['verify'], 2, /<file> is missing/],
    [['verify', 'nowhere.json'], 2, /FILE_UNREADABLE: .*ENOENT/],
    [['verify', 'report.json', '--owner', 'report.json'], 4, /OWNER_KEY_INVALID/],
    [['verify', 'report.json', '--roots', 'nowhere'], 2, /FILE_UNREADABLE/],
    [['verify', 'report.json', '--at', 'yesterday'], 2, /USAGE: .*--at is "yesterday"/],
    [['verify', 'report.json', '--at', '2026-13-01T00:00:00Z'], 2, /USAGE/],
    [['verify', 'owner.pub'], 4, /DOCUMENT_MALFORMED/],
    [['verify', '/dev/zero'], 4, /DOCUMENT_MALFORMED: .*over 1048576 bytes/],
    [['verify', '.'], 2, /FILE_UNREADABLE: .*EISDIR/],
  ])('%j ends in one error', async (argv, code, why) => {
    const { exit, out, err } = await tidelock(...argv);
    expect(err).toMatch(why);
    expect({ exit, out }).toEqual({ exit: code, out: '' });
  });
});

describe('tidelock report', () => {
  const agent = (told: Parameters<typeof reportAnswer>[1]) =>
    serveControl(join(dir, 'run', 'control.sock'), {
      'GET /report': () => ({
        apiVersion: 'tidelock/v1',
        kind: 'ReportAnswer',
        ...reportAnswer([reportOwner], told),
      }),
    });

  it('report -o json gives the report of the agent exactly as signed', async () => {
    await using _agent = await agent({ report: signed });
    const { exit, out, err } = await tidelock('report', '--run-dir', 'run', '-o', 'json');
    expect({ exit, err, same: out === text }).toEqual({ exit: 0, err: '', same: true });
  });

  it('report judges under the owners that the agent pins, unless others are given', async () => {
    await using _agent = await agent({ report: signed });
    const argv = ['report', '--run-dir', 'run', '--at', 'issued'];
    expect((await tidelock(...argv)).out).toMatch(/^Verdict +affirming$/m);
    const other = await tidelock(...argv, '--owner', 'other.pub');
    expect(other.out).toMatch(/^Verdict +contraindicated: enrolment signature: /);
  });

  it('report --out writes a file that verify accepts, over what was there', async () => {
    await using _agent = await agent({ report: signed });
    await writeFile(join(dir, 'out.json'), 'old');
    const argv = [
      'report',
      '--run-dir',
      'run',
      '--at',
      'issued',
      '--out',
      'out.json',
      '-o',
      'json',
    ];
    const { exit, out } = await tidelock(...argv);
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ kind: 'ReportWritten', verdict: 'affirming' });
    expect((await tidelock('verify', 'out.json', ...ARCHIVED)).exit).toBe(0);
  });

  it('report --html makes a page of a file without any agent', async () => {
    const { exit, out } = await tidelock('report', 'report.json', '--html', ...ARCHIVED);
    expect(exit).toBe(0);
    expect(out).toMatch(/^<!doctype html>/);
    expect(out).toContain('<strong>✓ Affirming</strong>');
    const argv = ['report', 'report.json', '--html', '--out', 'page.html'];
    expect((await tidelock(...argv)).out).toBe(`none; wrote ${join(dir, 'page.html')}\n`);
    expect(await readFile(join(dir, 'page.html'), 'utf8')).toContain('– No verdict');
  });

  it('report says so when the agent has none', async () => {
    await using _agent = await agent({ reason: 'this node has not attested itself yet' });
    const { exit, err } = await tidelock('report', '--run-dir', 'run');
    expect(exit).toBe(3);
    expect(err).toMatch(/^error REPORT_UNAVAILABLE: .*has not attested itself yet/);
  });

  it.each([
    [['report', 'report.json', '--html', '-o', 'json'], 2, /--html is no JSON/],
    [['report', 'report.json', '--out', '/proc/x/y.json'], 6, /FILE_UNWRITABLE/],
    [['report', '--socket', 'nowhere.sock'], 5, /AGENT_UNREACHABLE/],
  ])('%j ends in one error', async (argv, code, why) => {
    const { exit, out, err } = await tidelock(...argv);
    expect(`${out}${err}`).toMatch(why);
    expect(exit).toBe(code);
  });
});
