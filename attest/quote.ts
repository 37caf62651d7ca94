// Judges one quote against what was asked for. It never throws on bad evidence, and gives out the
// contents of a quote only when its signature held (ATTESTATION traps 2, 4 and 6).
import { hash } from 'node:crypto';
import { concat, equal, hex, type Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { fail, notChecked, pass, type Check } from './check.ts';
import { hashByName, type HashName } from '#attest/tpm/algorithms.ts';
import { parseAttest, type QuoteInfo, type TpmClock, type TpmsAttest } from '#attest/tpm/attest.ts';
import {
  parseSignature,
  verifySignature,
  type TpmSignature,
  type VerifyingKey,
} from '#attest/tpm/signature.ts';

/** PCR index to value. */
export type PcrValues = ReadonlyMap<number, Buffer>;

export interface QuoteQuestion {
  /** TPMS_ATTEST and TPMT_SIGNATURE as the TPM gave them. */
  readonly message: Bytes;
  readonly signature: Bytes;
  readonly key: VerifyingKey;
  /** What extraData must be. */
  readonly qualifyingData: Bytes;
  readonly bank: HashName;
  /** Claimed values of exactly the registers that were asked for. */
  readonly pcrs: PcrValues;
  /** Clock of the last quote accepted from this key. */
  readonly previousClock?: TpmClock | undefined;
}

export interface QuoteAnswer {
  readonly checks: readonly Check[];
  /** Present when the signature verified. */
  readonly attest: TpmsAttest | undefined;
  /** True when the TPM signed just these `pcrs`, whenever and for whomever it did. */
  readonly confirmsPcrs: boolean;
  /** True when every check passed, so that `pcrs` of the question are the TPM's own words now. */
  readonly holds: boolean;
}

/** Checks signature, kind, nonce, selection, digest and clock of a quote (TPM 2.0 Part 3 18.4). */
export function verifyQuote(question: QuoteQuestion): QuoteAnswer {
  const signed = signatureCheck(question);
  if (signed.signature === undefined) return refused(signed.check);
  let attest: TpmsAttest;
  try {
    attest = parseAttest(question.message);
  } catch (error) {
    return refused(signed.check, fail('quote format', `${messageOf(error)}.`));
  }
  const { quote } = attest;
  if (quote === undefined) {
    const text = `The key signed a ${attest.type}, which is no quote and says nothing about PCRs.`;
    return refused(signed.check, fail('quote format', text));
  }
  const values = [selectionCheck(question, quote), digestCheck(question, quote, signed.signature)];
  const checks = [
    signed.check,
    pass('quote format', 'TPM_GENERATED, TPM_ST_ATTEST_QUOTE, no byte left over.'),
    nonceCheck(question, attest),
    ...values,
    clockCheck(attest.clock, question.previousClock),
  ];
  return { checks, attest, confirmsPcrs: noneFails(values), holds: noneFails(checks) };
}

const refused = (...checks: readonly Check[]): QuoteAnswer => ({
  checks,
  attest: undefined,
  confirmsPcrs: false,
  holds: false,
});

const noneFails = (checks: readonly Check[]): boolean =>
  checks.every(({ result }) => result !== 'fail');

const SIGNATURE = 'quote signature';

function signatureCheck({ key, signature: bytes, message }: QuoteQuestion): {
  readonly check: Check;
  readonly signature?: TpmSignature;
} {
  let signature: TpmSignature;
  try {
    signature = parseSignature(bytes);
  } catch (error) {
    return { check: fail(SIGNATURE, `${messageOf(error)}.`) };
  }
  if (signature.hash.name === 'sha1') {
    return { check: fail(SIGNATURE, 'Signed over SHA-1, which collides. Use an AK of SHA-256.') };
  }
  if (!verifySignature(key, signature, message)) {
    const text = `The ${signature.scheme} signature does not verify under the attestation key: a byte changed, or another key signed.`;
    return { check: fail(SIGNATURE, text) };
  }
  const text = `${signature.scheme} with ${signature.hash.name} verifies under the attestation key.`;
  return { check: pass(SIGNATURE, text), signature };
}

function nonceCheck({ qualifyingData }: QuoteQuestion, { extraData }: TpmsAttest): Check {
  if (qualifyingData.length === 0) {
    return fail('nonce', 'No nonce was asked for, so the quote may be of any age.');
  }
  return equal(extraData, qualifyingData)
    ? pass('nonce', 'extraData is what was asked for.')
    : fail(
        'nonce',
        `extraData is ${hex(extraData) || 'empty'}, expected ${hex(qualifyingData)}: the quote answers another challenge (a replay) or speaks for another statement (a relay).`,
      );
}

function selectionCheck({ bank, pcrs }: QuoteQuestion, { selections }: QuoteInfo): Check {
  const asked = `${bank}:${[...pcrs.keys()].sort((a, b) => a - b).join(',')}`;
  const got = selections.map((s) => `${s.bank.name}:${s.pcrs.join(',')}`).join('+');
  return got === asked
    ? pass('PCR selection', `Exactly ${asked}.`)
    : fail(
        'PCR selection',
        `Quoted ${got || 'nothing'}, asked for ${asked}: a quote of another bank or other registers proves nothing about these.`,
      );
}

/** Part 3 18.4: the digest is by the hash of the signing scheme, over the values in rising order. */
function digestCheck(
  { bank, pcrs }: QuoteQuestion,
  { pcrDigest }: QuoteInfo,
  signature: TpmSignature,
): Check {
  const { sizeBytes } = hashByName(bank);
  const rising = [...pcrs].sort(([a], [b]) => a - b).map(([, value]) => value);
  const digest = hash(signature.hash.name, concat(...rising), 'buffer');
  return rising.every((value) => value.length === sizeBytes) && equal(digest, pcrDigest)
    ? pass('PCR digest', `${pcrs.size} PCR values hash to the quoted digest.`)
    : fail(
        'PCR digest',
        `The PCR values that came with the quote hash to ${hex(digest)}, the TPM quoted ${hex(pcrDigest)}: the values are not those of the TPM.`,
      );
}

function clockCheck(now: TpmClock, before: TpmClock | undefined): Check {
  const state = `resetCount ${now.resetCount}, restartCount ${now.restartCount}, clock ${now.clockMs} ms`;
  if (before !== undefined && isBefore(now, before)) {
    return fail(
      'TPM clock',
      `${state} is earlier than resetCount ${before.resetCount}, restartCount ${before.restartCount}, clock ${before.clockMs} ms, seen before: an old quote, or the TPM was cleared. If it was cleared on purpose, enrol the node again.`,
    );
  }
  if (!now.safe) {
    return notChecked(
      'TPM clock',
      `${state}; not "safe": the TPM lost power without an orderly shutdown, so its clock may repeat a stretch. It mends itself within about an hour of uptime.`,
    );
  }
  const since =
    before === undefined ? 'nothing earlier to compare with' : 'not earlier than before';
  return pass('TPM clock', `${state}, ${since}.`);
}

/** Reset and restart counts order boots; the clock orders quotes of one boot. */
function isBefore(now: TpmClock, before: TpmClock): boolean {
  if (now.resetCount !== before.resetCount) return now.resetCount < before.resetCount;
  if (now.restartCount !== before.restartCount) return now.restartCount < before.restartCount;
  return now.clockMs < before.clockMs;
}
