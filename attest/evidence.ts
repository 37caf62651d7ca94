// Evidence: what a node sends to prove itself (PROTOCOL 2), its schema and its collection. It is a
// claim and nothing more; attest/verify.ts is the judge.
import { hash } from 'node:crypto';
import { b64url, concat, equal, hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { b64Text, b64TextMax } from '#agent/base/schema.ts';
import { parseAttest } from '#attest/tpm/attest.ts';
import type { Quote } from '#attest/tpm/takequote.ts';
import type { Tpm } from '#attest/tpm/tpm.ts';
import { z } from 'zod';
import { qualifyingData, type Challenge } from './binding.ts';
import { MAX_CERTIFICATE_BYTES } from './ek.ts';
import { hexText, policyBank, type PolicyBank } from './owned.ts';
import type { PcrValues } from './quote.ts';

export const MAX_EVENT_LOG_BYTES = 512 << 10;
/** TPMS_ATTEST of a quote is below 200 bytes, an RSA 4096 signature below 600. */
const MAX_TPM_BYTES = 2048;
export const MAX_STATEMENT_BYTES = 12_288;

const pcrHex = z.string().regex(/^(?:[0-9a-f]{2}){20,64}$/);

export const evidenceSchema = z.strictObject({
  v: z.literal(1),
  /** Node statement, base64url of its JCS. */
  statement: b64TextMax(MAX_STATEMENT_BYTES),
  challenge: z.strictObject({ basis: hexText(32), random: b64Text(32) }),
  quote: z.strictObject({
    message: b64TextMax(MAX_TPM_BYTES),
    signature: b64TextMax(MAX_TPM_BYTES),
  }),
  bank: policyBank,
  /** Index to hex value, exactly the registers quoted. */
  pcrs: z.record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/), pcrHex),
  /** Firmware event log as the kernel gives it; empty when there is none. */
  eventLog: b64TextMax(MAX_EVENT_LOG_BYTES),
  /** TPM2B_PUBLIC of the attestation key. */
  akPublic: b64TextMax(MAX_TPM_BYTES),
  /** Contents of the NV index, DER first. */
  ekCertificate: b64TextMax(MAX_CERTIFICATE_BYTES),
});

/** JSON. Binary fields are base64url. */
export type Evidence = z.infer<typeof evidenceSchema>;

export interface EvidenceRequest {
  readonly tpm: Tpm;
  /** JCS of the node statement, at most 12 KiB. */
  readonly statement: Bytes;
  readonly challenge: Challenge;
  readonly bank: PolicyBank;
  /** Rising; quotedPcrs() of the policy. */
  readonly pcrs: readonly number[];
  /** Reads the firmware event log; an empty buffer where the platform has none. */
  readonly eventLog: () => Promise<Buffer>;
}

/**
 * Has the TPM speak for `statement` in answer to `challenge`.
 * Errors: those of Tpm, EVIDENCE_UNSTABLE, EVENTLOG_TOO_LARGE, and whatever `eventLog` throws.
 */
export async function collectEvidence(request: EvidenceRequest): Promise<Evidence> {
  const { tpm, statement, challenge, bank } = request;
  const ak = await tpm.ensureAk();
  const ekCertificate = await tpm.ekCertificate();
  const binding = qualifyingData(challenge, sha256(statement));
  const { quote, values } = await quoteAsRead(tpm, bank, request.pcrs, binding);
  const log = await request.eventLog();
  if (log.length > MAX_EVENT_LOG_BYTES) throw tooLarge(log.length);
  return {
    v: 1,
    statement: b64url(statement),
    challenge: { basis: challenge.basis, random: b64url(challenge.random) },
    quote: { message: b64url(quote.message), signature: b64url(quote.signature) },
    bank,
    pcrs: Object.fromEntries(Array.from(values, ([pcr, value]) => [String(pcr), hex(value)])),
    eventLog: b64url(log),
    akPublic: b64url(ak.publicArea),
    ekCertificate: b64url(ekCertificate),
  };
}

const ATTEMPTS = 8;

/**
 * PCR values and a quote over just these: a register may move between the read and the quote, as
 * IMA's does with every new file (ATTESTATION trap 8). Errors: EVIDENCE_UNSTABLE, those of Tpm.
 */
export async function quoteAsRead(
  tpm: Pick<Tpm, 'readPcrs' | 'quote'>,
  bank: PolicyBank,
  pcrs: readonly number[],
  binding: Bytes,
): Promise<{ readonly quote: Quote; readonly values: PcrValues }> {
  const moved = new Set<number>();
  let before: PcrValues | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const values = await tpm.readPcrs(bank, pcrs);
    const quote = await tpm.quote({ bank, pcrs, qualifyingData: binding });
    if (isOver(quote, values)) return { quote, values };
    for (const [pcr, value] of values) {
      if (before !== undefined && !equal(before.get(pcr) ?? value, value)) moved.add(pcr);
    }
    before = values;
  }
  throw new TidelockError('EVIDENCE_UNSTABLE', {
    op: 'evidence.collect',
    message: `Cannot quote PCRs: they moved between read and quote ${ATTEMPTS} times`,
    hint: `Moving: PCR ${[...moved].join(', ') || 'unknown'}. Something extends PCRs all the time, usually IMA measuring new files; the next round tries again.`,
  });
}

/** Attestation keys here sign with SHA-256, which is then the hash of the PCR digest too. */
function isOver(quote: Quote, values: PcrValues): boolean {
  const digest = hash('sha256', concat(...values.values()), 'buffer');
  return equal(parseAttest(quote.message).quote?.pcrDigest ?? Buffer.alloc(0), digest);
}

const tooLarge = (lenBytes: number): TidelockError =>
  new TidelockError('EVENTLOG_TOO_LARGE', {
    op: 'evidence.collect',
    message: `Cannot send the event log: ${lenBytes} bytes, at most ${MAX_EVENT_LOG_BYTES} fit`,
    hint: 'A firmware log of that size is mostly padding or damaged; read the file that tpm.eventLog names with tpm2_eventlog, of tpm2-tools.',
  });
