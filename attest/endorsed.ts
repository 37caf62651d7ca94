// Enrolment by two agents (PROTOCOL 3.10): each convinced itself that the TPM holds EK and AK and says so by a quote of its
// own AK, which outlives its short-lived keys. The document holds all that a reader needs who knows the owners. Pure.
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { concat, equal, fromB64url, fromHex, sha256, utf8 } from '#agent/base/bytes.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { jcs, type Json } from '#agent/base/jcs.ts';
import { b64TextMax, problemsOf } from '#agent/base/schema.ts';
import { documentHash, type SignedDocument } from '#agent/base/signed.ts';
import { ATTESTATION_KEY, missingAttributes, parsePublic } from '#attest/tpm/public.ts';
import { ekKeyOf } from '#attest/tpm/templates.ts';
import { z } from 'zod';
import {
  delegatedEk,
  hasReferenceOf,
  namesObjection,
  readDelegation,
  type Delegation,
} from './delegation.ts';
import { MAX_CERTIFICATE_BYTES } from './ek.ts';
import { enrolmentSchema, readEnrolment, type Enrolment } from './enrolment.ts';
import type { AttestationPolicy } from './policy.ts';
import { verifyQuote, type PcrValues } from './quote.ts';

export const ENDORSED_KIND = 'endorsed-enrolment';
/** The delegation takes 88 KiB at most, all the rest less than 48. */
export const MAX_ENDORSED_BYTES = 192 << 10;
const MAX_TPM_BYTES = 2048;

/** JSON that is read when it is known who signed it. */
const unread = z.custom<Json>((value) => typeof value === 'object' && value !== null);

export const endorsementSchema = z.strictObject({
  /** The endorser's own, as an owner signed it. */
  enrolment: unread,
  quote: z.strictObject({
    message: b64TextMax(MAX_TPM_BYTES),
    signature: b64TextMax(MAX_TPM_BYTES),
  }),
  /** Index to hex value, of just the registers of the endorser's enrolment. */
  pcrs: z.record(
    z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/),
    z.string().regex(/^[0-9a-f]{64,128}$/),
  ),
  /** TPM2B_PUBLIC of the endorser's attestation key. */
  akPublic: b64TextMax(MAX_TPM_BYTES),
});

/** JSON. Binary fields are base64url. */
export type Endorsement = z.infer<typeof endorsementSchema>;

const endorsedSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal(ENDORSED_KIND),
  /** An enrolment; read as one when both endorsements of it hold. */
  payload: unread,
  /** Of the node's TPM. */
  ekCertificate: b64TextMax(MAX_CERTIFICATE_BYTES),
  /** As an owner signed it. */
  delegation: unread,
  endorsements: z.tuple([endorsementSchema, endorsementSchema]),
});

/** JSON. */
export type EndorsedDocument = z.infer<typeof endorsedSchema>;

/** What a reader holds endorsements against. */
export interface EndorsementTerms {
  readonly owners: readonly SigningPublic[];
  /** Of the owners of the reader's cluster. */
  readonly policy: Pick<AttestationPolicy, 'bank' | 'enforce'>;
}

export interface Endorsed {
  readonly enrolment: Enrolment;
  /** Enrolments, by owners, of the two nodes that endorse it. */
  readonly endorsers: readonly [Enrolment, Enrolment];
}

/** Whether a document claims to be one, so that it is read as one. */
export const isEndorsed = (document: unknown): boolean =>
  typeof document === 'object' &&
  document !== null &&
  'kind' in document &&
  document.kind === ENDORSED_KIND;

/** The extraData of an endorser's quote, 32 bytes (PROTOCOL 3.10). */
export const endorsementData = (payload: Json, delegation: SignedDocument): Buffer =>
  sha256(concat(utf8('tidelock/endorsement/v1'), sha256(jcs(payload)), documentHash(delegation)));

/**
 * Reads an enrolment by two agents. That owners have revoked none of the three since is for the caller to know.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID, ENDORSEMENT_INVALID.
 */
export function readEndorsed(document: unknown, terms: EndorsementTerms): Endorsed {
  const { payload, ekCertificate, delegation: given, endorsements } = shapeOf(document);
  const delegation = readDelegation(given, terms.owners);
  const binding = endorsementData(payload, given as SignedDocument); // it has that shape
  const [first, second] = endorsements;
  const endorsers = [
    readEndorsement(first, binding, terms),
    readEndorsement(second, binding, terms),
  ] as const;
  const read = enrolmentSchema.safeParse(payload);
  if (!read.success) throw invalid(`what was endorsed is no enrolment: ${read.error.message}`);
  const enrolment = read.data;
  const why =
    distinctObjection(enrolment, endorsers) ??
    delegationObjection(delegation, enrolment, fromB64url(ekCertificate));
  if (why !== undefined) throw invalid(why);
  return { enrolment, endorsers };
}

/**
 * The enrolment, by an owner, of the node that endorses what `binding` stands for.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID, ENDORSEMENT_INVALID.
 */
export function readEndorsement(
  { enrolment: document, quote, pcrs, akPublic }: Endorsement,
  binding: Buffer,
  { owners, policy }: EndorsementTerms,
): Enrolment {
  const endorser = readEnrolment(document, owners);
  const { reference, akName, node } = endorser;
  let key: ReturnType<typeof parsePublic>;
  try {
    key = parsePublic(fromB64url(akPublic));
  } catch (cause) {
    throw invalid(`the key of ${node} is none: ${messageOf(cause)}`, cause);
  }
  if (missingAttributes(key, ATTESTATION_KEY).length > 0 || !equal(key.name, fromHex(akName))) {
    throw invalid(`the key is not the one that an owner enrolled for ${node}`);
  }
  const registers = Object.keys(reference.pcrs);
  const values: PcrValues = new Map(
    registers.map((pcr) => [Number(pcr), fromHex(pcrs[pcr] ?? '')]),
  );
  const isWhole = Object.keys(pcrs).length === registers.length;
  const answer = verifyQuote({
    message: fromB64url(quote.message),
    signature: fromB64url(quote.signature),
    key,
    qualifyingData: binding,
    bank: reference.bank,
    pcrs: values,
  });
  if (!isWhole || !answer.holds) {
    const failed = answer.checks.find(({ result }) => result === 'fail');
    throw invalid(`the quote of ${node} does not hold: ${failed?.text ?? 'other registers'}`);
  }
  if (reference.bank !== policy.bank) {
    throw invalid(`${node} is enrolled in ${reference.bank}, the policy asks for ${policy.bank}`);
  }
  const differing = policy.enforce.filter((pcr) => {
    const enrolled = reference.pcrs[String(pcr)];
    return enrolled === undefined || enrolled !== pcrs[String(pcr)];
  });
  if (differing.length === 0) return endorser;
  throw invalid(`${node} was not as enrolled when it endorsed: PCR ${differing.join(', ')}`);
}

/** An agent that stood for two, or for itself, would be one alone. */
function distinctObjection(
  enrolment: Enrolment,
  endorsers: readonly Enrolment[],
): string | undefined {
  const { domain, cluster } = enrolment;
  const three = [enrolment, ...endorsers];
  if (three.some((each) => each.domain !== domain || each.cluster !== cluster)) {
    return 'it is endorsed by a node of another cluster';
  }
  const isOnce = (of: (each: Enrolment) => string): boolean =>
    new Set(three.map(of)).size === three.length;
  return isOnce(({ node }) => node) && isOnce((e) => e.akName) && isOnce((e) => e.ekDigest)
    ? undefined
    : 'the node and the two that endorse it are not three, each with its own TPM';
}

function delegationObjection(
  delegation: Delegation,
  enrolment: Enrolment,
  ekCertificate: Buffer,
): string | undefined {
  const { issuedAt, ekDigest } = enrolment;
  const why = namesObjection(delegation, enrolment, issuedAt);
  if (why !== undefined) return why;
  if (!hasReferenceOf(delegation, enrolment)) {
    return 'its reference values are not those of the delegation';
  }
  let ek: ReturnType<typeof delegatedEk>;
  try {
    ek = delegatedEk(delegation, ekCertificate, issuedAt);
  } catch (cause) {
    return messageOf(cause);
  }
  if ('why' in ek) return ek.why;
  if (ekKeyOf(ek.x509.publicKey) === undefined) return NO_TEMPLATE;
  return ek.digest === ekDigest ? undefined : 'the EK certificate is of another TPM';
}

/** Said of an EK for which no credential can be made. */
export const NO_TEMPLATE = 'the EK is neither RSA 2048 nor ECC P-256 or P-384';

function shapeOf(document: unknown): EndorsedDocument {
  const read = endorsedSchema.safeParse(document);
  if (!read.success) {
    throw malformed(problemsOf(read.error).slice(0, 5).join('; ').slice(0, 500));
  }
  let lenBytes: number;
  try {
    lenBytes = jcs(read.data).length;
  } catch {
    throw malformed('it has no canonical form (RFC 8785)');
  }
  if (lenBytes <= MAX_ENDORSED_BYTES) return read.data;
  throw malformed(`${lenBytes} bytes, at most ${MAX_ENDORSED_BYTES}`);
}

const malformed = (state: string): TidelockError =>
  new TidelockError('DOCUMENT_MALFORMED', {
    op: 'endorsed.read',
    message: `Cannot read ${ENDORSED_KIND} document: ${state}`,
    hint: 'It is as an agent wrote it, whole and unchanged, or it is none; move it away, and the agent asks for another.',
  });

const invalid = (state: string, cause?: unknown): TidelockError =>
  new TidelockError('ENDORSEMENT_INVALID', {
    op: 'endorsed.read',
    message: `Cannot accept enrolment by two agents: ${state}`,
    hint: 'Move it away and start the agent anew, so that it asks two others again; or have an owner enrol the node.',
    cause,
  });
