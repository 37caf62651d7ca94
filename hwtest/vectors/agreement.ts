// Holds every shared attestation vector against its truth and counts, folder by folder, who agrees. A
// disagreement counts as expected only with a reason that proves a fault in the data.
import { messageOf } from '#agent/base/errors.ts';
import type { Differences } from './differences.ts';
import { nitroDifferences, resultDifferences, snpDifferences, tdxDifferences } from './guests.ts';
import { credentialDifferences, ekDifferences, quoteDifferences } from './keys.ts';
import { ccelDifferences, eventLogDifferences, imaDifferences } from './logs.ts';
import { podDifferences, sysfsDifferences } from './machines.ts';
import type { Truth } from './truth.ts';

type Compare = (truth: Truth) => Differences | Promise<Differences>;

const FOLDERS: Readonly<Record<string, Compare>> = {
  eventlog: eventLogDifferences,
  ccel: ccelDifferences,
  ima: imaDifferences,
  'tpm-quote': quoteDifferences,
  ek: ekDifferences,
  kat: credentialDifferences,
  snp: snpDifferences,
  tdx: tdxDifferences,
  nitro: nitroDifferences,
  rats: resultDifferences,
  k8s: podDifferences,
  sysfs: sysfsDifferences,
};

/** Files whose truth is wrong, each with the proof. */
const FAULTS_IN_THE_DATA: Readonly<Record<string, string>> = {};

export interface Disagreement {
  readonly path: string;
  readonly differences: Differences;
  /** Why the data is at fault; absent: we are, or nobody knows yet. */
  readonly fault: string | undefined;
}

export interface FolderAgreement {
  readonly folder: string;
  readonly files: number;
  readonly agree: number;
  readonly disagreements: readonly Disagreement[];
}

/** One row a folder, in the order of the table above. */
export async function agreementOf(truths: readonly Truth[]): Promise<FolderAgreement[]> {
  const rows: FolderAgreement[] = [];
  for (const [folder, compare] of Object.entries(FOLDERS)) {
    const inside = truths.filter(({ path }) => path.startsWith(`${folder}/`));
    const disagreements: Disagreement[] = [];
    for (const truth of inside) {
      const differences = await compared(compare, truth);
      const { path } = truth;
      if (differences.length > 0) {
        disagreements.push({ path, differences, fault: FAULTS_IN_THE_DATA[path] });
      }
    }
    const agree = inside.length - disagreements.length;
    rows.push({ folder, files: inside.length, agree, disagreements });
  }
  return rows;
}

async function compared(compare: Compare, truth: Truth): Promise<Differences> {
  try {
    return await compare(truth);
  } catch (error) {
    return [`it ended in ${messageOf(error)}`];
  }
}

/** Samples that no folder of the table holds: a new folder must not go unseen. */
export const unknownTo = (truths: readonly Truth[]): readonly string[] =>
  truths.map(({ path }) => path).filter((path) => !((path.split('/')[0] ?? '') in FOLDERS));

/** The table, and each disagreement below it. */
export function agreementText(rows: readonly FolderAgreement[]): string {
  const cells = rows.map(({ folder, files, agree, disagreements }) =>
    [folder.padEnd(10), files, agree, disagreements.length].map((cell) => String(cell)),
  );
  const lines = [['folder    ', 'files', 'agree', 'disagree'], ...cells].map(
    ([folder = '', ...counts]) => [folder, ...counts.map((cell) => cell.padStart(8))].join(' '),
  );
  const reasons = rows.flatMap(({ disagreements }) =>
    disagreements.flatMap(({ path, differences, fault }) => [
      `${path}: ${fault ?? 'not explained'}`,
      ...differences.map((difference) => `  ${difference}`),
    ]),
  );
  return [...lines, ...(reasons.length > 0 ? ['', ...reasons] : [])].join('\n');
}
