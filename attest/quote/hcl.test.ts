import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, hex, utf8 } from '#agent/base/bytes.ts';
import type { Check } from '#attest/check.ts';
import { NO_SNP_POLICY } from '#attest/snp/policy.ts';
import { readCertificates } from '#attest/snp/certificates.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { u32le } from '#attest/testdata/imaEntries.ts';
import { makeAk } from '#attest/testdata/quote.ts';
import { makeSnpReport } from '#attest/testdata/snp.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { judgeHcl } from './hclCheck.ts';
import { parseHclReport } from './hcl.ts';
import { readAttestationKey } from './key.ts';

const jwk = (type: 'RSA' | 'ECC', kid = 'HCLAkPub') => ({
  ...makeAk(type).publicKey.export({ format: 'jwk' }),
  kid,
  kty: type === 'RSA' ? 'RSA' : 'EC',
});
const runtimeOf = (...keys: readonly object[]): Buffer =>
  Buffer.from(utf8(JSON.stringify({ keys, 'vm-configuration': { 'secure-boot': true } })));

interface HclParts {
  readonly hardware: Buffer;
  readonly runtime?: Buffer;
  /** 2 SNP, 4 TDX. */
  readonly kind?: number;
  readonly hashId?: number;
}

/** An HCL report as Azure lays it out, padded to the size of the NV index. */
function hclReport({ hardware, runtime = RUNTIME, kind = 2, hashId = 1 }: HclParts): Buffer {
  const header = concat(utf8('HCLA'), u32le(2), Buffer.alloc(24));
  const sizes = [u32le(20 + runtime.length), u32le(1), u32le(kind), u32le(hashId)];
  const report = concat(header, hardware, ...sizes, u32le(runtime.length), runtime);
  return concat(report, Buffer.alloc(Math.max(0, 2600 - report.length)));
}

const RUNTIME = runtimeOf(jwk('RSA'), jwk('ECC', 'HCLEkPub'));
const digest = concat(hash('sha256', RUNTIME, 'buffer'), Buffer.alloc(32));
const snp = makeSnpReport({ patch: (report) => void digest.copy(report, 80) });
const bytes = hclReport({ hardware: snp.report });
const signer = readAttestationKey(makeAk('RSA').area);
const policy = { ...NO_SNP_POLICY, roots: [snp.root] };
const atMs = Date.UTC(2026, 0, 1);

const judged = (from: Buffer, key = signer, certificates = snp.certificates) =>
  judgeHcl({ report: parseHclReport(from), certificates, policy, atMs }, key);
const failed = ({ checks }: { readonly checks: readonly Check[] }): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);

it('parseHclReport() reads key, binding and runtime data', () => {
  const report = parseHclReport(bytes);
  expect(report).toMatchObject({ kind: 'SNP', runtime: { 'vm-configuration': {} } });
  expect(report.key.verifying.key.equals(makeAk('RSA').publicKey)).toBe(true);
  expect(report.hardware).toEqual(snp.report);
  expect(hex(report.reportData)).toBe(hex(report.runtimeDigest));
});

it('parseHclReport() finds the report data of a TDREPORT, by the hash that is stated', () => {
  const hardware = Buffer.alloc(1184);
  hash('sha384', RUNTIME, 'buffer').copy(hardware, 128);
  const report = parseHclReport(hclReport({ hardware, kind: 4, hashId: 2 }));
  expect(report.kind).toBe('TDX');
  expect(report.reportData).toEqual(report.runtimeDigest);
});

it.each([
  ['another file', flipped(bytes, 0), 'does not start with HCLA'],
  ['another kind of hardware', hclReport({ hardware: snp.report, kind: 3 }), 'of type 3'],
  ['another hash', hclReport({ hardware: snp.report, hashId: 4 }), 'hash of type 4'],
  ['a report cut short', bytes.subarray(0, 1300), 'bytes wanted'],
  [
    'runtime data that is no JSON',
    hclReport({ hardware: snp.report, runtime: Buffer.from('{') }),
    'no JSON',
  ],
  [
    'runtime data without an attestation key',
    hclReport({ hardware: snp.report, runtime: runtimeOf(jwk('RSA', 'HCLEkPub')) }),
    'no key HCLAkPub',
  ],
])('parseHclReport() refuses %s', (_, altered, state) => {
  expect(() => parseHclReport(altered)).toThrow(state);
});

it('parseHclReport() leaves out of the runtime data what it does not know', () => {
  const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
  const keys = JSON.stringify([jwk('RSA')]);
  const json = `{"keys":${keys},"vm-configuration":{"a":${deep}},"user-data":"00","more":${deep}}`;
  const { runtime } = parseHclReport(
    hclReport({ hardware: snp.report, runtime: Buffer.from(utf8(json)) }),
  );
  expect(runtime).toMatchObject({ keys: [{ kid: 'HCLAkPub' }], 'user-data': '00' });
  expect(runtime).not.toHaveProperty('more');
  expect(runtime['vm-configuration']).toBeUndefined();
});

it('parseHclReport() ends in one error on any bytes', () => {
  fc.assert(fc.property(hostile(bytes), (altered) => void outcome(parseHclReport, altered)));
});

it('judgeHcl() has the hardware vouch for the key that signed the quote', () => {
  const answer = judged(bytes);
  expect(failed(answer)).toEqual([]);
  expect(answer.checks[0]).toMatchObject({ name: 'HCL report', claim: 'instance-identity' });
  expect(answer.checks).toContainEqual(
    expect.objectContaining({ name: 'SNP report data', result: 'pass' }),
  );
  expect(answer.claims).toMatchObject({ snp: { version: 3 }, runtime_data: {} });
});

it('judgeHcl() refuses runtime data that the hardware did not see', () => {
  const runtime = runtimeOf(jwk('RSA'), { kid: 'added', kty: 'RSA' });
  const answer = judged(hclReport({ hardware: snp.report, runtime }));
  expect(failed(answer)).toContain('HCL report');
  expect(answer.claims).toEqual({});
});

it('judgeHcl() refuses a quote by another key', () => {
  const answer = judged(bytes, readAttestationKey(makeAk('ECC').area));
  expect(failed(answer)).toEqual(['HCL report']);
  expect(answer.claims).toEqual({});
});

it('judgeHcl() refuses an SNP report that was altered', () => {
  const answer = judged(flipped(bytes, 32 + 0x90)); // the measurement
  expect(failed(answer)).toEqual(['SNP signature']);
  expect(answer.claims).toEqual({});
});

const tdReport = Buffer.alloc(1184);
digest.copy(tdReport, 128);

it.each([
  ['a TDREPORT', { hardware: tdReport, kind: 4 }],
  ['an SNP report without certificates', { hardware: snp.report }],
])('judgeHcl() says that it cannot judge %s, and claims nothing then', (_, parts) => {
  const report = parseHclReport(hclReport(parts));
  const answer = judgeHcl({ report, certificates: [], atMs }, signer);
  expect(answer.checks).toMatchObject([
    { name: 'HCL report', result: 'pass' },
    { name: 'hardware report', result: 'not checked', ceiling: 'warning' },
  ]);
  expect(answer.checks[0]).not.toHaveProperty('claim');
  expect(answer.claims).toEqual({});
});

it('judgeHcl() lets no report escape certificates or a policy by the kind that it states', () => {
  const tdx = parseHclReport(hclReport({ hardware: tdReport, kind: 4 }));
  const { certificates } = snp;
  for (const asked of [{ certificates }, { certificates: [], policy }, { certificates, policy }]) {
    const answer = judgeHcl({ report: tdx, atMs, ...asked }, signer);
    expect(answer.checks[1]).toMatchObject({ result: 'fail', ceiling: 'contraindicated' });
    expect(answer.claims).toEqual({});
  }
});

it('judgeHcl() knows nothing of a policy that it has no certificates to hold up', () => {
  const answer = judged(bytes, signer, []);
  expect(answer.checks[1]).toMatchObject({ name: 'hardware report', ceiling: 'none' });
  expect(answer.claims).toEqual({});
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const directory = 'tpm-quote/azure-snp';
  const answerOf = (altered: Buffer) =>
    judgeHcl(
      {
        report: parseHclReport(altered),
        certificates: readCertificates(vector(`${directory}/vcek.pem`), 'certificates'),
        atMs: Date.UTC(2026, 0, 1),
      },
      readAttestationKey(vector(`${directory}/ak.pem`)),
    );

  it('judgeHcl() holds the report of a real machine', () => {
    const answer = answerOf(vector(`${directory}/hcl-report.bin`));
    expect(failed(answer)).toEqual([]);
    expect(answer.claims).toHaveProperty('snp.measurement');
  });

  it.each([
    ['its runtime data', 0x6e0, 'HCL report'],
    ['its SNP report', 0x1a6, 'SNP signature'],
  ])('judgeHcl() refuses it with a byte changed in %s', (_, offset, name) => {
    const altered = flipped(vector(`${directory}/hcl-report.bin`), offset);
    expect(failed(answerOf(altered))).toContain(name);
  });

  it('parseHclReport() refuses it with a zero in its attestation key', () => {
    const altered = vector(`${directory}/hcl-report.bin`);
    altered[0x540] = 0;
    expect(outcome(parseHclReport, altered)).toBe('malformed');
  });
});
