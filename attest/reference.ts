// Compares quoted registers with enrolled values and says in words what differs, why as far as the
// event log can tell, and what to do. It looks only at values that a quote has confirmed.
import { hex } from '#agent/base/bytes.ts';
import { fail, notChecked, pass, type Check, type Verdict } from './check.ts';
import type { PolicyBank } from './owned.ts';
import type { AttestationPolicy } from './policy.ts';
import type { PcrValues } from './quote.ts';

/** Enrolled values of one node. */
export interface Reference {
  readonly bank: PolicyBank;
  /** Index to hex value. */
  readonly pcrs: Readonly<Record<string, string>>;
}

/** PC Client Platform Firmware Profile 1.06, 3.3.4, and the UAPI Linux TPM PCR registry. */
const CONTENTS: Readonly<Record<number, string>> = {
  0: 'firmware',
  1: 'firmware configuration',
  2: 'option ROMs',
  3: 'option ROM configuration',
  4: 'boot loader',
  5: 'partition table and boot loader configuration',
  6: 'platform maker',
  7: 'Secure Boot policy',
  8: 'boot commands',
  9: 'files read at boot',
  10: 'IMA',
  11: 'kernel image',
  12: 'kernel command line overrides',
  13: 'system extensions',
  14: 'machine owner keys',
};

/** `boot loader`; undefined for a register that the profiles leave to others. */
export const registerContents = (pcr: number): string | undefined => CONTENTS[pcr];

/** `PCR 4 (boot loader)`. */
export const pcrText = (pcr: number): string =>
  CONTENTS[pcr] === undefined ? `PCR ${pcr}` : `PCR ${pcr} (${CONTENTS[pcr]})`;

/**
 * One check per enforced and warned register. `replayed` is what the event log accounts for;
 * undefined when there is no log to be used.
 */
export function referenceChecks(
  policy: Pick<AttestationPolicy, 'bank' | 'enforce' | 'warn'>,
  reference: Reference,
  quoted: PcrValues,
  replayed: PcrValues | undefined,
): Check[] {
  const check = (pcr: number, ceiling: Verdict): Check =>
    registerCheck(pcr, { policy, reference, quoted, replayed, ceiling });
  return [
    ...policy.enforce.map((pcr) => check(pcr, 'contraindicated')),
    ...policy.warn.map((pcr) => check(pcr, 'warning')),
  ];
}

interface Comparison {
  readonly policy: Pick<AttestationPolicy, 'bank'>;
  readonly reference: Reference;
  readonly quoted: PcrValues;
  readonly replayed: PcrValues | undefined;
  /** What a difference leaves possible. */
  readonly ceiling: Verdict;
}

function registerCheck(pcr: number, comparison: Comparison): Check {
  const { policy, reference, quoted, ceiling } = comparison;
  const name = `PCR ${pcr}`;
  const enrolled = reference.bank === policy.bank ? reference.pcrs[String(pcr)] : undefined;
  const value = quoted.get(pcr);
  if (value === undefined) return fail(name, `${pcrText(pcr)}: not quoted.`, ceiling);
  if (enrolled === undefined) {
    // Unknown is not good: no verdict above "none" where the policy enforces the register.
    return notChecked(
      name,
      `${pcrText(pcr)}: no ${policy.bank} reference value is enrolled. Enrol the node again under this policy.`,
      ceiling === 'contraindicated' ? 'none' : ceiling,
    );
  }
  const now = hex(value);
  if (now === enrolled) return pass(name, `${pcrText(pcr)}: as enrolled, ${short(now)}.`);
  return fail(
    name,
    `${pcrText(pcr)}: ${policy.bank} ${short(now)} is not the enrolled ${short(enrolled)}; ${causeOf(pcr, now, enrolled, comparison)}`,
    ceiling,
  );
}

function causeOf(pcr: number, now: string, enrolled: string, { replayed }: Comparison): string {
  if (replayed === undefined) return 'there is no event log to tell why. Enrol again if intended.';
  const value = replayed.get(pcr);
  const logged = value === undefined ? undefined : hex(value);
  if (logged === enrolled) {
    return 'extended after boot, not in the event log. Find the program that used the TPM, then reboot the node.';
  }
  if (logged === now) {
    return 'measured at boot, the event log accounts for it. If firmware, boot loader or kernel was changed on purpose, enrol the node again.';
  }
  return 'the event log accounts for neither value. Reboot the node; if it was changed on purpose, enrol it again.';
}

const short = (value: string): string => `${value.slice(0, 16)}..`;
