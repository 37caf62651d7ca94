// Holds evidence of a boot against a reference policy: the log as it was sent, and the firmware of the TPM.
// For readers who have a verified quote in hand; it never throws on bad evidence.
import type { Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { parseEventLog, type EventLog } from '#attest/eventlog/parse.ts';
import type { PcrValues } from '#attest/quote.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import type { ReferencePolicy } from './document.ts';
import { judgeBoot } from './judge.ts';

export interface BootEvidence {
  readonly policy: ReferencePolicy;
  /** As received; empty when there is none. */
  readonly eventLog: Bytes;
  /** The bank that was quoted and its values, as the TPM signed them. */
  readonly bank: HashName;
  readonly quoted: PcrValues;
  /** Of the same TPMS_ATTEST, 16 hex digits; absent where there is no quote: it is not judged. */
  readonly firmwareVersion?: string;
  /** Unix milliseconds: what was announced for later does not count yet. */
  readonly atMs: number;
}

const NAME = 'reference policy';

/** A check per register of the policy, and one of the TPM's firmware. */
export function bootChecks({ firmwareVersion, ...boot }: BootEvidence): Check[] {
  const events = eventChecks(boot);
  return firmwareVersion === undefined
    ? events
    : [...events, about('hardware', firmwareCheck(boot.policy, firmwareVersion))];
}

/** The one check about what was booted. */
const alone = (check: Check): Check[] => [about('executables', check)];

function eventChecks({
  policy,
  eventLog,
  bank,
  quoted,
  atMs,
}: Omit<BootEvidence, 'firmwareVersion'>): Check[] {
  if (bank !== policy.bank) {
    const text = `The quote is of ${bank}, the reference policy of ${policy.bank}: it says nothing of the other (bank confusion). Quote ${policy.bank}.`;
    return alone(fail(NAME, text));
  }
  if (eventLog.length === 0) {
    const text = `There is no event log to hold against reference policy ${policy.name}. Send it with the quote.`;
    return alone(notChecked(NAME, text, 'none'));
  }
  let log: EventLog;
  try {
    log = parseEventLog(eventLog);
  } catch (error) {
    return alone(fail(NAME, `${messageOf(error)}.`));
  }
  return judgeBoot({ policy, log, quoted, atMs });
}

function firmwareCheck({ firmwareVersions }: ReferencePolicy, found: string): Check {
  const name = 'TPM firmware';
  if (firmwareVersions === undefined) {
    return notChecked(name, `Version ${found}; the reference policy names none.`);
  }
  return firmwareVersions.includes(found)
    ? pass(name, `Version ${found}, as the reference policy has it.`)
    : fail(
        name,
        `Version ${found} is not among the ${firmwareVersions.length} of the reference policy: ${firmwareVersions.slice(0, 3).join(', ')}. Update the TPM’s firmware, or sign a policy that has this version.`,
      );
}
