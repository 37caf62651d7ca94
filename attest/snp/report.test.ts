import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { makeSnpReport, MADE_CHIP, MADE_TCB, tcbBytes } from '#attest/testdata/snp.ts';
import { parseSnpReport, SNP_REPORT_BYTES } from './report.ts';

const filled = (byte: number, lenBytes: number): Buffer => Buffer.alloc(lenBytes, byte);

it('parseSnpReport() reads every field of version 5', () => {
  const { report } = makeSnpReport({
    version: 5,
    patch: (bytes) => {
      bytes.writeUInt32LE(3, 0x30);
      bytes.writeUInt32LE(0b11, 0x48);
      bytes.fill(0x66, 0xe0, 0x110);
      bytes.fill(0x77, 0x110, 0x140);
      bytes.fill(0x88, 0x140, 0x160);
      bytes.set([1, 56, 1], 0x1e8);
    },
  });
  const tcb = tcbBytes(MADE_TCB, 'Milan');
  expect(parseSnpReport(report)).toEqual({
    version: 5,
    guestSvn: 7,
    policy: 0x3001fn,
    familyId: filled(0x11, 16),
    imageId: filled(0x22, 16),
    vmpl: 3,
    signatureAlgo: 1,
    currentTcb: tcb,
    platformInfo: 0x25n,
    authorKeyEn: true,
    maskChipKey: true,
    signingKey: 'VCEK',
    reportData: filled(0x33, 64),
    measurement: filled(0x44, 48),
    hostData: filled(0x55, 32),
    idKeyDigest: filled(0x66, 48),
    authorKeyDigest: filled(0x77, 48),
    reportId: filled(0x88, 32),
    reportIdMa: filled(0xff, 32),
    reportedTcb: tcb,
    cpu: { family: 0x19, model: 1, stepping: 1 },
    chipId: MADE_CHIP,
    committedTcb: tcb,
    current: { major: 1, minor: 56, build: 1 },
    committed: { major: 1, minor: 55, build: 21 },
    launchTcb: tcb,
    mitigations: { launch: 3n, current: 7n },
    signed: report.subarray(0, 0x2a0),
    signature: Buffer.concat([
      Buffer.from(report.subarray(0x2a0, 0x2a0 + 48)).reverse(),
      Buffer.from(report.subarray(0x2e8, 0x2e8 + 48)).reverse(),
    ]),
    faults: [],
  });
});

it.each([2, 3, 4, 5])('parseSnpReport() finds in version %i what that version has', (version) => {
  const { cpu, mitigations, faults } = parseSnpReport(makeSnpReport({ version }).report);
  expect(cpu !== undefined).toBe(version >= 3);
  expect(mitigations !== undefined).toBe(version >= 5);
  expect(faults).toEqual([]);
});

it.each<[string, number, (bytes: Buffer) => void]>([
  ['reserved bytes at 0x4c are not zero', 3, (b) => b.writeUInt8(1, 0x4f)],
  ['reserved bytes at 0x188 are not zero', 2, (b) => b.writeUInt8(1, 0x188)],
  ['reserved bytes at 0x18b are not zero', 3, (b) => b.writeUInt8(1, 0x19f)],
  ['reserved bytes at 0x1eb are not zero', 3, (b) => b.writeUInt8(1, 0x1eb)],
  ['reserved bytes at 0x1ef are not zero', 3, (b) => b.writeUInt8(1, 0x1ef)],
  ['reserved bytes at 0x1f8 are not zero', 4, (b) => b.writeUInt8(1, 0x1f8)],
  ['reserved bytes at 0x208 are not zero', 5, (b) => b.writeUInt8(1, 0x29f)],
  ['reserved bytes at 0x330 are not zero', 3, (b) => b.writeUInt8(1, 0x49f)],
  ['reserved bits of the key information are set', 3, (b) => b.writeUInt32LE(1 << 5, 0x48)],
  ['its signing key is of a reserved kind', 3, (b) => b.writeUInt32LE(2 << 2, 0x48)],
  ['VMPL 4 does not exist', 3, (b) => b.writeUInt32LE(4, 0x30)],
  ['signature algorithm 2 is not ECDSA P-384 with SHA-384', 3, (b) => b.writeUInt32LE(2, 0x34)],
  ['its version is 1, known are 2 to 5', 2, (b) => b.writeUInt32LE(1, 0)],
  ['its version is 6, known are 2 to 5', 5, (b) => b.writeUInt32LE(6, 0)],
])('parseSnpReport() notes: %s', (fault, version, patch) => {
  expect(parseSnpReport(makeSnpReport({ version, patch }).report).faults).toEqual([fault]);
});

it('parseSnpReport() has no signature where a scalar is longer than the curve', () => {
  const { report } = makeSnpReport();
  report.writeUInt8(1, 0x2a0 + 48);
  expect(parseSnpReport(report).signature).toBeUndefined();
});

it('parseSnpReport() reads 1,184 bytes of anything and refuses any other length', () => {
  const { report } = makeSnpReport();
  for (const length of [0, SNP_REPORT_BYTES - 1, SNP_REPORT_BYTES + 1]) {
    expect(outcome(parseSnpReport, Buffer.alloc(length, 1))).toBe('malformed');
  }
  fc.assert(
    fc.property(hostile(report), (bytes) => {
      const parsed = outcome(parseSnpReport, bytes);
      expect(parsed === 'malformed').toBe(bytes.length !== SNP_REPORT_BYTES);
    }),
  );
});
