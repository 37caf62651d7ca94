// What an agent does to endorse a node: makes a credential that only the TPM with both EK and AK can open, and has its own TPM
// sign for the enrolment (PROTOCOL 3.10). Whether it should is decided by agent/epochs/endorser.ts.
import { b64url, equal, fromB64url, hex, type Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { ATTESTATION_KEY, missingAttributes, parsePublic } from '#attest/tpm/public.ts';
import { ekKeyOf } from '#attest/tpm/templates.ts';
import type { Tpm } from '#attest/tpm/tpm.ts';
import { makeCredential, type Credential } from './credential.ts';
import { delegatedEk, type Delegation } from './delegation.ts';
import { NO_TEMPLATE, type Endorsement } from './endorsed.ts';
import type { Enrolment } from './enrolment.ts';
import { quoteAsRead } from './evidence.ts';

/** A TPM and a key that are said to belong together. */
export interface Candidate {
  readonly ekDigest: string;
  readonly akName: string;
  /** A credential of `secret`, 32 bytes, for this TPM and this key alone. */
  credentialOf(secret: Bytes): Credential;
}

/**
 * What an asker says of its TPM, as far as it can be used: `ekCertificate` is what NV holds, `akPublic` a TPM2B_PUBLIC.
 * Never throws: why not is one clause.
 */
export function readCandidate(
  delegation: Delegation,
  ekCertificate: Bytes,
  akPublic: Bytes,
  nowMs: number,
): Candidate | { readonly why: string } {
  try {
    const ek = delegatedEk(delegation, ekCertificate, nowMs);
    if ('why' in ek) return ek;
    const key = ekKeyOf(ek.x509.publicKey);
    if (key === undefined) return { why: NO_TEMPLATE };
    const ak = parsePublic(akPublic);
    const missing = missingAttributes(ak, ATTESTATION_KEY);
    if (missing.length > 0) return { why: `its attestation key is not ${missing.join(', ')}` };
    return {
      ekDigest: ek.digest,
      akName: hex(ak.name),
      credentialOf: (secret) => makeCredential(key, ak.name, secret),
    };
  } catch (cause) {
    return { why: messageOf(cause) };
  }
}

export interface EndorseRequest {
  readonly tpm: Pick<Tpm, 'ensureAk' | 'readPcrs' | 'quote'>;
  /** endorsementData() of what is endorsed. */
  readonly binding: Bytes;
  /** The endorser's own enrolment, as an owner signed it, and what it says. */
  readonly document: Json;
  readonly enrolment: Enrolment;
}

/** Has this node's TPM endorse. Errors: EVIDENCE_UNSTABLE, those of Tpm. */
export async function endorse(request: EndorseRequest): Promise<Endorsement> {
  const { tpm, binding, document, enrolment } = request;
  const { bank, pcrs } = enrolment.reference;
  const registers = Object.keys(pcrs)
    .map(Number)
    .toSorted((a, b) => a - b);
  const ak = await tpm.ensureAk();
  const { quote, values } = await quoteAsRead(tpm, bank, registers, binding);
  return {
    enrolment: document,
    quote: { message: b64url(quote.message), signature: b64url(quote.signature) },
    pcrs: Object.fromEntries(Array.from(values, ([pcr, value]) => [String(pcr), hex(value)])),
    akPublic: b64url(ak.publicArea),
  };
}

/** Whether an asker has opened the credential: in constant time. */
export const isSecret = (secret: Bytes, shown: string): boolean => equal(secret, fromB64url(shown));
