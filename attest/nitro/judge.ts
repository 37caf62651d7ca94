// Judges the attestation document of an AWS Nitro enclave (Nitro Enclaves user guide, "Verifying the root
// of trust") or of a NitroTPM (EC2 user guide, "Validate a NitroTPM Attestation Document"). It gives out
// claims only when signature, chain, root and dates all held.
import { equal, hex, type Bytes } from '#agent/base/bytes.ts';
import { verifyJwa } from '#agent/base/asymmetric.ts';
import { about, fail, notChecked, pass, type Check, type TrustClaim } from '#attest/check.ts';
import { withClaim } from '#attest/checkClaim.ts';
import { pcrText } from '#attest/reference.ts';
import { printable } from '#attest/printable.ts';
import { oneLine } from '#attest/x509/chain.ts';
import {
  chainCheck,
  readCertificates,
  rootCheck,
  validityOf,
  type NitroCertificates,
  type Validity,
} from './chain.ts';
import { parseNitro, type NitroDocument, type NitroMessage } from './document.ts';
import type { NitroPolicy } from './policy.ts';

export interface NitroTerms {
  /** Unix milliseconds as of which it is judged. */
  readonly atMs: number;
  /** SHA-256 of the root's DER. */
  readonly root: Bytes;
  /** Undefined when the reader has none: then what ran is not judged. */
  readonly policy: NitroPolicy | undefined;
  /** What the document must carry as its nonce; undefined when the reader sent none. */
  readonly nonce: Bytes | undefined;
}

export interface NitroAppraisal {
  readonly checks: readonly Check[];
  /** Named as in the user guide, bytes in hex; empty unless the bytes were verified. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Appraises a document. Errors: EVIDENCE_MALFORMED; one that does not hold is a verdict. */
export function judgeNitro(bytes: Bytes, terms: NitroTerms): NitroAppraisal {
  const message = parseNitro(bytes);
  const { document } = message;
  const certificates = readCertificates(document);
  const form = `COSE_Sign1 with ${document.pcrs.size} PCRs and ${document.cabundle.length} issuers.`;
  const origin = [
    signatureCheck(message, certificates),
    chainCheck(certificates),
    rootCheck(certificates, terms.root),
  ];
  const checks = [pass('document form', form), ...origin];
  if (origin.some(({ result }) => result === 'fail')) {
    const text = 'Nothing else of a document that AWS did not sign is looked at.';
    return { checks: [...checks, notChecked('claims', text, 'none')], claims: {} };
  }
  const dates = datesCheck(document, validityOf(certificates), terms.atMs);
  return {
    checks: [
      ...checks,
      dates,
      ...debugChecks(document, terms.policy),
      ...registerChecks(document, terms.policy),
      nonceCheck(document, terms.nonce),
    ],
    claims: dates.result === 'fail' ? {} : claimsOf(document, certificates),
  };
}

/** COSE algorithm ES384 (RFC 9053 2.1). */
const ES384 = -35;

function signatureCheck({ envelope }: NitroMessage, { key }: NitroCertificates): Check {
  const name = 'document signature';
  const { alg, toBeSigned, signature } = envelope;
  if (alg !== ES384) {
    const text = `It names COSE algorithm ${printable(String(alg ?? 'none'))}; a Nitro hypervisor signs with ES384 (-35).`;
    return about('instance-identity', fail(name, text));
  }
  return about(
    'instance-identity',
    verifyJwa(key, 'ES384', toBeSigned, signature)
      ? pass(name, 'ES384 verifies under the certificate of the document.')
      : fail(name, 'ES384 does not verify: a byte changed, or another key signed.'),
  );
}

/** Clocks of hypervisor and reader may differ by so much. */
const MAX_SKEW_MS = 300_000;

/** Document and certificates agree in time with each other and with the moment asked about. */
function datesCheck({ timestampMs }: NitroDocument, validity: Validity, atMs: number): Check {
  const name = 'dates';
  const { fromMs, toMs } = validity;
  const made = `made ${iso(timestampMs)}`;
  const valid = `All its certificates are valid from ${iso(fromMs)} to ${iso(toMs)}`;
  if (timestampMs < fromMs || timestampMs > toMs) {
    return about('hardware', fail(name, `The document says ${made}. ${valid}, not then.`));
  }
  if (atMs < fromMs || timestampMs > atMs + MAX_SKEW_MS) {
    const text = `The document was ${made} and is not valid yet at ${iso(atMs)}, as of which it is judged. ${valid}. A clock is wrong, or --at is.`;
    return about('hardware', fail(name, text));
  }
  if (atMs > toMs) {
    const text = `The certificate expired ${iso(toMs)} and it is judged as of ${iso(atMs)}. Ask the enclave for a new document, or judge an archived one as of its own time: --at ${iso(timestampMs)}.`;
    return about('hardware', fail(name, text));
  }
  return about(
    'hardware',
    pass(name, `The document was ${made}, judged as of ${iso(atMs)}. ${valid}.`),
  );
}

const isZero = (value: Bytes): boolean => value.every((byte) => byte === 0);

/** A debug enclave has zeroes where its image would be measured; an instance has no such mode. */
const debugChecks = (document: NitroDocument, policy: NitroPolicy | undefined): Check[] =>
  document.pcrField === 'pcrs' ? [debugCheck(document, policy)] : [];

function debugCheck({ pcrs }: NitroDocument, policy: NitroPolicy | undefined): Check {
  const name = 'debug mode';
  const image = [0, 1, 2].map((pcr) => pcrs.get(pcr));
  if (image.some((value) => value === undefined)) {
    const text = 'PCR 0, 1 and 2 are not all in the document, so that nothing says what runs.';
    return about('hardware', fail(name, text, 'none'));
  }
  if (!image.every((value) => value !== undefined && isZero(value))) {
    return about('hardware', pass(name, 'Off: the image is measured.'));
  }
  const found = 'On: PCR 0, 1 and 2 are zero, and the parent instance reads the console';
  return about(
    'hardware',
    policy?.allow_debug === true
      ? fail(name, `${found}. The policy allows it.`, 'warning')
      : fail(name, `${found}. Start the enclave without --debug-mode.`),
  );
}

/** Of an enclave (Nitro Enclaves user guide, "Cryptographic attestation"). */
const CONTENTS: Readonly<Record<number, string>> = {
  0: 'enclave image',
  1: 'kernel and boot ramdisk',
  2: 'application',
  3: 'IAM role of the parent',
  4: 'instance ID of the parent',
  8: 'signing certificate of the image',
};

/** `PCR 2 (application)`; of a NitroTPM as of every TPM: `PCR 2 (option ROMs)`. */
function registerText({ pcrField }: NitroDocument, pcr: number): string {
  if (pcrField === 'nitrotpm_pcrs') return pcrText(pcr);
  return CONTENTS[pcr] === undefined ? `PCR ${pcr}` : `PCR ${pcr} (${CONTENTS[pcr]})`;
}

const ORIGIN = { pcrs: 'an enclave', nitrotpm_pcrs: 'a NitroTPM' } as const;

function registerChecks(document: NitroDocument, policy: NitroPolicy | undefined): Check[] {
  const { pcrField } = document;
  const accepted = Object.entries(policy?.[pcrField] ?? {});
  const other = pcrField === 'pcrs' ? 'nitrotpm_pcrs' : 'pcrs';
  if (accepted.length === 0 && Object.keys(policy?.[other] ?? {}).length > 0) {
    const text = `It is the document of ${ORIGIN[pcrField]}, and the policy names registers of ${ORIGIN[other]} alone (${other}). Give the document that is meant, or name its registers as ${pcrField}.`;
    return [about('executables', fail('measurements', text))];
  }
  if (accepted.length === 0) {
    const text = 'No policy says what the registers must hold (--policy): what runs is not judged.';
    return [about('executables', notChecked('measurements', text, 'warning'))];
  }
  return accepted.map(([index, values = []]) => {
    const check = registerCheck(document, Number(index), values);
    return document.pcrField === 'pcrs'
      ? about(PARENT[Number(index)] ?? 'executables', check)
      : withClaim(check);
  });
}

/** Registers of an enclave that hold where it runs, and not what. */
const PARENT: Readonly<Record<number, TrustClaim>> = { 3: 'configuration', 4: 'instance-identity' };

function registerCheck(document: NitroDocument, pcr: number, accepted: readonly string[]): Check {
  const name = `PCR ${pcr}`;
  const register = registerText(document, pcr);
  const value = document.pcrs.get(pcr);
  if (value === undefined) return fail(name, `${register}: not in the document.`);
  const found = hex(value);
  return accepted.includes(found)
    ? pass(name, `${register}: ${short(found)} is accepted.`)
    : fail(
        name,
        `${register}: ${short(found)} is not among the ${accepted.length} accepted (${accepted.slice(0, 4).map(short).join(', ')}). Run an accepted image, or add the value to the policy.`,
      );
}

const short = (value: string): string => `${value.slice(0, 16)}..`;

function nonceCheck({ nonce }: NitroDocument, expected: Bytes | undefined): Check {
  const name = 'nonce';
  if (expected === undefined) {
    const text = 'No nonce was given (--nonce): an old document looks the same.';
    return notChecked(name, text, 'warning');
  }
  return nonce !== undefined && equal(nonce, expected)
    ? pass(name, 'The document answers this challenge.')
    : fail(
        name,
        `The nonce is ${nonce === undefined ? 'absent' : short(hex(nonce))}, expected ${short(hex(expected))}: the document answers another challenge.`,
      );
}

const claimsOf = (
  document: NitroDocument,
  { leaf }: NitroCertificates,
): NitroAppraisal['claims'] => ({
  module_id: document.moduleId,
  digest: document.digest,
  timestamp: document.timestampMs,
  time: iso(document.timestampMs),
  [document.pcrField]: Object.fromEntries(
    Array.from(document.pcrs, ([pcr, value]) => [pcr, hex(value)]),
  ),
  certificate: {
    subject: oneLine(leaf.subject),
    not_before: leaf.validFromDate.toISOString(),
    not_after: leaf.validToDate.toISOString(),
  },
  public_key: hexOrNull(document.publicKey),
  user_data: hexOrNull(document.userData),
  nonce: hexOrNull(document.nonce),
});

const hexOrNull = (value: Bytes | undefined): string | null =>
  value === undefined ? null : hex(value);

const iso = (unixMs: number): string => new Date(unixMs).toISOString();
