import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { certificateTable, makeSnpReport } from '#attest/testdata/snp.ts';
import { parseSnpEvidence, readCertificates } from './certificates.ts';

const made = makeSnpReport();
const chain = [made.vek, made.ask, made.ark];
const GUIDS = [
  '63da758de6644564adc5f4b93be8accd',
  '4ab7b379bbac4fe4a02f05aef327c782',
  'c0b406a4a803495297433fb6014cd0ae',
] as const;
const MIXED_ENDIAN_VCEK = '8d75da6364e66445adc5f4b93be8accd';
const PLATFORM_INFO = 'ecae0c0f950243b1afa20ae2e0d565b6';

const withTable = (entries: Parameters<typeof certificateTable>[0]): Buffer =>
  Buffer.concat([made.report, certificateTable(entries)]);
const raws = (bytes: Buffer): Buffer[] =>
  parseSnpEvidence(bytes).certificates.map(({ raw }) => Buffer.from(raw));

it('parseSnpEvidence() takes a report alone and one with pages of zeros', () => {
  expect(parseSnpEvidence(made.report).certificates).toEqual([]);
  expect(raws(Buffer.concat([made.report, Buffer.alloc(4096)]))).toEqual([]);
});

it('parseSnpEvidence() finds the certificates of the table and leaves what is none', () => {
  const entries = GUIDS.map((guid, index) => [guid, chain[index]?.der ?? Buffer.alloc(0)] as const);
  const bytes = withTable([[PLATFORM_INFO, Buffer.alloc(8, 1)], ...entries]);
  expect(raws(bytes)).toEqual(chain.map(({ der }) => der));
  expect(raws(withTable([[MIXED_ENDIAN_VCEK, made.vek.der]]))).toEqual([made.vek.der]);
  expect(raws(withTable([[GUIDS[0], Buffer.from(made.vek.pem)]]))).toEqual([made.vek.der]);
});

it('parseSnpEvidence() refuses a table that points outside itself or holds no certificate', () => {
  const beyond = withTable([[GUIDS[0], made.vek.der]]);
  expect(outcome(parseSnpEvidence, beyond.subarray(0, -1))).toBe('malformed');
  expect(outcome(parseSnpEvidence, withTable([[GUIDS[0], Buffer.from('none')]]))).toBe('malformed');
  expect(outcome(parseSnpEvidence, Buffer.concat([made.report, Buffer.alloc(23, 1)]))).toBe(
    'malformed',
  );
});

it('readCertificates() refuses an empty file', () => {
  expect(outcome((bytes) => readCertificates(bytes, 'VEK'), Buffer.alloc(0))).toBe('malformed');
});

it('parseSnpEvidence() and readCertificates() end in one error on any bytes', () => {
  const table = withTable([[GUIDS[0], made.vek.der]]);
  fc.assert(fc.property(hostile(table), (bytes) => void outcome(parseSnpEvidence, bytes)));
  const read = (bytes: Uint8Array) => readCertificates(bytes, 'certificates');
  fc.assert(fc.property(hostile(made.vek.der), (bytes) => void outcome(read, bytes)));
  fc.assert(fc.property(hostile(Buffer.from(made.vek.pem)), (bytes) => void outcome(read, bytes)));
});

it('readCertificates() reads PEM and DER, several in a row, and not more than 16', () => {
  const der = Buffer.concat(chain.map((each) => each.der));
  const pem = Buffer.from(chain.map((each) => each.pem).join('\n'));
  for (const bytes of [der, pem]) {
    expect(readCertificates(bytes, 'chain').map(({ raw }) => Buffer.from(raw))).toEqual(
      chain.map((each) => each.der),
    );
  }
  const many = Buffer.concat(Array.from({ length: 17 }, () => made.vek.der));
  expect(outcome((bytes) => readCertificates(bytes, 'chain'), many)).toBe('malformed');
});
