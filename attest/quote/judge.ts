// Judges a quote with all that may come with it: the key, register values, the event log and the IMA
// list. Pure: bytes in, checks and claims out; attest/quote.ts judges the quote alone.
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { bankCheck } from '#attest/bank.ts';
import { about, fail, notChecked, type Check } from '#attest/check.ts';
import { withClaim } from '#attest/checkClaim.ts';
import { checkEventLog } from '#attest/eventlog/check.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { checkImaList } from '#attest/ima/check.ts';
import { bootChecks } from '#attest/policy/boot.ts';
import type { ReferencePolicy } from '#attest/policy/document.ts';
import { verifyQuote, type PcrValues } from '#attest/quote.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { parseAttest, type PcrSelection } from '#attest/tpm/attest.ts';
import { judgeAkCertificate, type AkCertificate } from './akCertificate.ts';
import { judgeHcl, type HclEvidence } from './hclCheck.ts';
import { keyChecks } from './keyCheck.ts';
import type { AttestationKey } from './key.ts';
import type { PcrBanks } from './pcrs.ts';
import { tpmtSignature } from './signature.ts';
import { quoteStatement, type QuoteStatement } from './statement.ts';

export interface QuoteEvidence {
  /** TPMS_ATTEST. */
  readonly message: Bytes;
  /** TPMT_SIGNATURE, or a plain signature. */
  readonly signature: Bytes;
  readonly key: AttestationKey;
  /** The Name that the key must have (TPM 2.0 Part 1 16). */
  readonly akName?: Bytes | undefined;
  /** What extraData must be. */
  readonly nonce: Bytes;
  /** TPMS_ATTEST of an earlier quote that was accepted from this key. */
  readonly previous?: Bytes | undefined;
  /** The bank that the quote, the values and the log must be of. */
  readonly bank: HashName;
  readonly pcrs: PcrBanks;
  readonly eventLog?: Bytes | undefined;
  readonly imaList?: Bytes | undefined;
  /** What an owner expects of the boot, as of a moment in Unix milliseconds. */
  readonly reference?: { readonly policy: ReferencePolicy; readonly atMs: number } | undefined;
  /** What vouches for the key: an authority, as on Google Cloud, or hardware, as on Azure. */
  readonly certificate?: AkCertificate | undefined;
  readonly hcl?: HclEvidence | undefined;
}

export interface QuoteAppraisal {
  readonly checks: readonly Check[];
  /** The values that the TPM signed, by bank and register; empty unless it did. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the key signed; null unless the signature holds. */
  readonly attest: QuoteStatement | null;
}

/** Errors: EVIDENCE_MALFORMED for a message, signature, log or list that is none. */
export function judgeQuote(evidence: QuoteEvidence): QuoteAppraisal {
  const { message, key, bank, nonce } = evidence;
  const { verifying } = key;
  const selections = parseAttest(message).quote?.selections ?? [];
  const pcrs = claimedValues(evidence, selections);
  const answer = verifyQuote({
    message,
    signature: tpmtSignature(evidence.signature, { key: verifying, message }),
    key: verifying,
    qualifyingData: nonce,
    bank,
    pcrs,
    previousClock: evidence.previous && parseAttest(evidence.previous).clock,
  });
  const signed = answer.attest && quoteStatement(answer.attest);
  const vouched = vouchedFor(evidence);
  const isVouchedFor = evidence.certificate !== undefined || evidence.hcl !== undefined;
  const checks = [
    ...keyChecks(key, evidence.akName, isVouchedFor),
    ...vouched.checks,
    ...answer.checks,
  ];
  if (signed === undefined) {
    return { checks: checks.map(withClaim), claims: vouched.claims, attest: null };
  }
  const more = answer.confirmsPcrs
    ? [
        firmwareCheck(bank, pcrs),
        ...referenced(evidence, pcrs, signed.firmwareVersion),
        ...measured(evidence, pcrs),
      ]
    : [confusionCheck(bank, selections), ...unmeasured(evidence)];
  const confirmed = answer.confirmsPcrs ? { pcrs: { [bank]: valuesInHex(pcrs) } } : {};
  return {
    checks: [...checks, ...more].map(withClaim),
    claims: { ...confirmed, ...vouched.claims },
    attest: signed,
  };
}

/** What authority and hardware say of the key, apart from the quote. */
function vouchedFor({ certificate, hcl, key }: QuoteEvidence): Omit<QuoteAppraisal, 'attest'> {
  const issued = certificate && judgeAkCertificate(certificate, key);
  const hardware = hcl && judgeHcl(hcl, key);
  const isIssued = issued !== undefined && Object.keys(issued.claims).length > 0;
  return {
    checks: [...(issued?.checks ?? []), ...(hardware?.checks ?? [])],
    claims: { ...(isIssued ? { ak_certificate: issued.claims } : {}), ...hardware?.claims },
  };
}

/**
 * The claimed values of the registers that were quoted; all that are claimed where a quoted one is
 * missing, so that the selection shows as what it is not.
 */
function claimedValues(
  { pcrs, bank }: QuoteEvidence,
  selections: readonly PcrSelection[],
): PcrValues {
  const claimed = pcrs.get(bank) ?? new Map<number, Buffer>();
  const quoted = selections.find((selection) => selection.bank.name === bank)?.pcrs ?? [];
  const found = quoted.flatMap((pcr) => {
    const value = claimed.get(pcr);
    return value === undefined ? [] : [[pcr, value] as const];
  });
  return found.length > 0 && found.length === quoted.length ? new Map(found) : claimed;
}

const BANK = 'PCR bank';

/** Trap 4: a quote of another bank says nothing about this one (CVE-2021-42299). */
function confusionCheck(bank: HashName, selections: readonly PcrSelection[]): Check {
  const quoted = [...new Set(selections.map((selection) => selection.bank.name))];
  if (quoted.every((name) => name === bank)) {
    return notChecked(BANK, 'Whether firmware measured into it is not known without the values.');
  }
  const text = `The quote is of bank ${quoted.join(' and ')}, the policy is for ${bank}: a bank that nobody watches can be filled with a good boot. Quote bank ${bank}.`;
  return fail(BANK, text);
}

function firmwareCheck(bank: HashName, pcrs: PcrValues): Check {
  const firmware = bankCheck(bank, pcrs);
  if (firmware.result === 'not checked') {
    return notChecked(BANK, `${bank}; no firmware register (PCR 0 to 7) is quoted.`);
  }
  if (firmware.result === 'fail' || bank !== 'sha1') return firmware;
  const text = 'Bank sha1: two boots can be made that measure alike (SHA-1 collides). Use sha256.';
  return fail(BANK, text, 'warning');
}

/** What was measured against what an owner expects; without that, what is left unsaid. */
function referenced(evidence: QuoteEvidence, quoted: PcrValues, firmwareVersion: string): Check[] {
  const { reference, eventLog = Buffer.alloc(0), bank } = evidence;
  return reference === undefined
    ? [restCheck(evidence, quoted)]
    : bootChecks({ ...reference, eventLog, bank, quoted, firmwareVersion });
}

/** Which of the claimed values the quote says nothing about. */
function restCheck({ pcrs, bank }: QuoteEvidence, quoted: PcrValues): Check {
  const name = 'reference values';
  const rest = [...(pcrs.get(bank)?.keys() ?? [])].filter((pcr) => !quoted.has(pcr));
  const unquoted = rest.length > 0 ? ` PCR ${rest.join(', ')} were given and are not quoted.` : '';
  const text = `Nothing was given to compare the values with: they are the TPM's, and nobody says that they are good. Give a reference policy (--reference).${unquoted}`;
  return about('executables', notChecked(name, text, 'warning'));
}

/** The log and the list under values that the TPM confirmed. */
function measured({ bank, eventLog, imaList }: QuoteEvidence, pcrs: PcrValues): Check[] {
  if (eventLog !== undefined) parseEventLog(eventLog); // a file that is no log is malformed
  const log = eventLog === undefined ? [] : checkEventLog(eventLog, bank, pcrs).checks;
  const ima = imaList === undefined ? [] : checkImaList(imaList, bank, pcrs);
  // A log that was handed in as that of this boot and is not fails; the agent only explains with it.
  const owned = log.map((check) =>
    check.name === 'event log' && check.result === 'fail' ? fail(check.name, check.text) : check,
  );
  return [...owned, ...ima];
}

/** Without confirmed values, a log and a list are nobody's word. */
function unmeasured({ eventLog, imaList }: QuoteEvidence): Check[] {
  const text =
    'The quote does not confirm the register values, so there is nothing to hold it against.';
  return [
    ...(eventLog === undefined ? [] : [notChecked('event log', text, 'none')]),
    ...(imaList === undefined ? [] : [notChecked('IMA list', text, 'none')]),
  ];
}

const valuesInHex = (pcrs: PcrValues): Readonly<Record<string, string>> =>
  Object.fromEntries(Array.from(pcrs, ([pcr, value]) => [String(pcr), hex(value)]));
