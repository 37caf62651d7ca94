// Holds an IMA list against a quote: which part of it the quoted PCR 10 confirms, whether it is of the
// boot that was quoted, and whether every entry is as the kernel hashed it. Which files may run is not
// for it to say.
import type { Bytes } from '#agent/base/bytes.ts';
import { hex } from '#agent/base/bytes.ts';
import { counted } from '#agent/base/counted.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import type { PcrValues } from '#attest/quote.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { entriesText } from './entry.ts';
import { IMA_PCR, ImaReplay } from './replay.ts';
import type { ImaTally } from './tally.ts';
import { tieToBoot } from './tie.ts';

const NAME = 'IMA list';
const SHOWN = 3;

/** Checks of the list `bytes` under values that a quote confirmed. Errors: EVIDENCE_MALFORMED. */
export function checkImaList(bytes: Bytes, bank: HashName, quoted: PcrValues): Check[] {
  const value = quoted.get(IMA_PCR);
  if (value === undefined) {
    const text = `PCR ${IMA_PCR} is not quoted, so nothing confirms the list. Quote it too.`;
    return [notChecked(NAME, text, 'none')];
  }
  const replay = new ImaReplay(bank);
  const match = replay.advance({ offset: 0, bytes }, hex(value));
  if (match === null) {
    const text = `No part of the list, from its start, gives the quoted PCR ${IMA_PCR} ${hex(value)} in bank ${bank}: the list was edited, is of another boot or node, or the kernel does not measure into this bank.`;
    return [fail(NAME, text)];
  }
  const later = bytes.length - replay.offset;
  const grown = later > 0 ? `; ${counted(later, 'byte')} of the list came after the quote` : '';
  return [
    pass(
      NAME,
      `The quoted PCR ${IMA_PCR} is that of ${entriesText(match.entries)} (${match.extendedBy})${grown}.`,
    ),
    entriesCheck(replay.tally),
    aggregateCheck(replay.tally, bank, quoted),
  ];
}

/** PCR 10 may hold and an entry be false all the same, where SHA-1 is the weaker of two hashes. */
function entriesCheck({ mismatches, violations, entries, findings }: ImaTally): Check {
  const name = 'IMA entries';
  const described = (code: string): string =>
    findings
      .filter((finding) => finding.code === code)
      .slice(0, SHOWN)
      .map(({ text }) => text)
      .join(' ');
  if (mismatches > 0) {
    return fail(
      name,
      `${mismatches} of ${entries} altered: ${described('TEMPLATE_HASH_MISMATCH')}`,
    );
  }
  if (violations > 0) {
    const text = `${violations} of ${entries} violated: ${described('VIOLATION')}`;
    return fail(name, text, 'warning');
  }
  return pass(name, `${entriesText(entries)}, each with the template hash of what it states.`);
}

function aggregateCheck({ bootAggregate }: ImaTally, bank: HashName, quoted: PcrValues): Check {
  const name = 'IMA boot aggregate';
  const tie = tieToBoot(bootAggregate, (of) => (of === bank ? quoted : new Map()));
  if (tie.tied) return pass(name, `boot_aggregate is that of the quoted PCR ${tie.range}.`);
  if (tie.known) return fail(name, `boot_aggregate: ${tie.why}.`);
  const text = `boot_aggregate: ${tie.why}, so nothing ties the start of the list to this boot.`;
  return bootAggregate?.zero === false ? notChecked(name, text) : fail(name, text, 'warning');
}
