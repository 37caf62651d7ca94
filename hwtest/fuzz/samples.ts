// Good samples to begin from: the real ones where they are, and always some of our own making.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromB64url } from '#agent/base/bytes.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { fixture } from '#attest/testdata/fixture.ts';
import { UEFI_BOOT } from '#attest/testdata/uefi.ts';
import { reportFixture } from '#attest/testdata/reportFixture.ts';
import { noVectors, vectorDirectory } from '#attest/testdata/vectors.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import { MAX_INPUT_BYTES } from './mutate.ts';

/** Files below a folder of the vectors whose path matches, without their tails; none where there are no vectors. */
export function vectorsIn(folder: string, path: RegExp): Buffer[] {
  if (noVectors !== undefined) return [];
  const root = vectorDirectory(folder);
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && path.test(join(entry.parentPath, entry.name)))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)).subarray(0, MAX_INPUT_BYTES))
    .filter(({ length }) => length > 0);
}

const { quote, akPublic, ekCertificate } = fixture.evidence;

export const quoteMessages = (): Buffer[] => [
  fromB64url(quote.message),
  ...vectorsIn('tpm-quote', /quote\.msg$/),
];
export const quoteSignatures = (): Buffer[] => [
  fromB64url(quote.signature),
  ...vectorsIn('tpm-quote', /quote\.sig$/),
];
export const publicAreas = (): Buffer[] => [
  fromB64url(akPublic),
  ...vectorsIn('tpm-quote', /(?:tpm2b_public|tpmt_public|ek\.pub(?:\.tpm2b)?)$/),
];
export const ekCertificates = (): Buffer[] => [
  fromB64url(reportFixture.evidence.ekCertificate),
  fromB64url(ekCertificate),
  ...vectorsIn('tpm-quote', /ek\.cert\.der$/),
  ...vectorsIn('ek', /st_ecdsa_ek\.der$/),
];
export const eventLogs = (): Buffer[] => [
  writeEventLog(BOOT, ['sha1', 'sha256', 'sha384']),
  writeEventLog(UEFI_BOOT, ['sha256', 'sha384']),
  ...vectorsIn(
    'eventlog',
    /\/(?:event|specid|arch|debian|rhel8|coreos|glinux|binary_bios|mb_log|short|sample)[^/]*(?<!yaml)$/,
  ),
];
export const guestLogs = (): Buffer[] => [
  writeEventLog(UEFI_BOOT, ['sha384']),
  ...vectorsIn('ccel', /CCEL_data[^/]*(?<!json)$/).map((log) => log.subarray(0, 24 << 10)),
];
