// Samples altered as the tests of their origins alter them: what must not verify any more.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { hasVector, vector } from '#attest/testdata/vectors.ts';
import { at, callEvidence } from './call.ts';
import type { Differences } from './differences.ts';

interface Alteration {
  /** As TRUTH.json states it. */
  readonly stated: string;
  readonly file: string;
  readonly offset: number;
  readonly change: (byte: number) => number;
}

const next = (byte: number): number => byte + 1;
const zero = (): number => 0;
/** Of a value that is written in hex. */
const otherDigit = (digit: number): number => (digit === 0x30 ? 0x31 : 0x30);
const flip =
  (bits: number) =>
  (byte: number): number =>
    byte ^ bits;

const AZURE = 'tpm-quote/azure-snp';
const alteration = (
  stated: string,
  file: string,
  offset: number,
  change: Alteration['change'],
): Alteration => ({ stated, file, offset, change });

const ALTERATIONS: readonly Alteration[] = [
  alteration('byte 21 ^= 0x80 -> invalid', 'snp/virtee-milan.report.bin', 21, flip(0x80)),
  alteration('report[42]+=1 -> sig fail', 'snp/coco-milan.report.bin', 42, next),
  alteration('report[384]+=1 -> TCB fail', 'snp/coco-milan.report.bin', 384, next),
  alteration('signature[0]^=1 -> fail', `${AZURE}/quote.rawsig`, 0, flip(1)),
  alteration(
    'hcl[0x6e0]+=1 -> HCL var data digest mismatch',
    `${AZURE}/hcl-report.bin`,
    0x6e0,
    next,
  ),
  alteration('hcl[0x540]=0 -> no AKpub', `${AZURE}/hcl-report.bin`, 0x540, zero),
  alteration('hcl[0x1a6]=0 -> SNP version/sig fail', `${AZURE}/hcl-report.bin`, 0x1a6, zero),
  alteration(
    'pcrs[0][0]^=1 -> fail',
    `${AZURE}/pcrs.json`,
    firstDigit(`${AZURE}/pcrs.json`),
    otherDigit,
  ),
];

/** Where the digits of the first value of a JSON file of registers start. */
function firstDigit(path: string): number {
  return hasVector(path) ? vector(path).indexOf('"0"') + 6 : 0;
}

/** What verifies though a file that `argv` names was altered as the origin does. */
export async function negativeDifferences(
  stated: readonly string[],
  argv: readonly string[],
): Promise<Differences> {
  const found: Differences = [];
  const dir = await mkdtemp(join(tmpdir(), 'tl-vectors-'));
  try {
    for (const claim of stated) {
      const known = ALTERATIONS.find((each) => each.stated === claim);
      if (known === undefined) found.push(`nobody knows how to alter it: ${claim}`);
      else if (!(await isRefused(known, argv, dir))) found.push(`it still verifies: ${claim}`);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
  return found;
}

async function isRefused(
  { file, offset, change }: Alteration,
  argv: readonly string[],
  dir: string,
): Promise<boolean> {
  const altered = Buffer.from(vector(file));
  altered[offset] = change(altered[offset] ?? 0);
  const path = join(dir, 'altered');
  await writeFile(path, altered);
  const { exit } = await callEvidence(...argv.map((word) => (word === at(file) ? path : word)));
  return exit === EXIT.notVerified || exit === EXIT.malformed;
}
