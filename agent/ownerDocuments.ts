// What the owners signed for this node, verified and held against its configuration: the attestation
// policy, the enrolment and the reference policy. Whatever is wrong with one names its file.
import { TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { NodeName } from '#agent/base/brands.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { ekAuthoritiesOf, readDelegation, type Delegation } from '#attest/delegation.ts';
import { isEndorsed, readEndorsed } from '#attest/endorsed.ts';
import { readEnrolment, type Enrolment } from '#attest/enrolment.ts';
import { readPolicy, type AttestationPolicy } from '#attest/policy.ts';
import { readReferencePolicy, type ReferencePolicy } from '#attest/policy/document.ts';
import type { Config } from './config.ts';
import { readDocument } from './documents.ts';

export interface OwnPolicy {
  /** As signed. */
  readonly document: Json;
  readonly policy: AttestationPolicy;
}

export interface OwnEnrolment {
  /** As signed. */
  readonly document: Json;
  readonly enrolment: Enrolment;
  /** The two nodes that endorsed it; none: an owner signed it himself. */
  readonly endorsedBy: readonly NodeName[];
}

export interface OwnDelegation {
  /** As signed. */
  readonly document: SignedDocument;
  readonly delegation: Delegation;
}

/** What to do about a node that is not enrolled. */
export const ENROL_REMEDY =
  'Run tidelock enroll --owner owner.key on this node, once, in a state known to be good.';
/** The same where owners delegate it. */
export const ENDORSED_REMEDY =
  'Its agent has two members enrol the node, as the delegation allows, as soon as it runs and reaches them; or an owner does it by tidelock enroll.';

/**
 * The attestation policy of the configuration's cluster.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID; CONFIG_INVALID when it is for another cluster or
 * does not allow the period configured.
 */
export async function readAttestationPolicy(config: Config): Promise<OwnPolicy> {
  const file = config.attestation.policyFile;
  const document = await readDocument(file);
  const policy = inFile(file, () => readPolicy(document, config.owners));
  requireFit(file, policy, config);
  return { document, policy };
}

/**
 * The enrolment of this node: by an owner, or by two agents where `delegation` is configured.
 * Errors: ATTESTATION_UNUSABLE when there is none; DOCUMENT_MALFORMED, SIGNATURE_INVALID, ENDORSEMENT_INVALID;
 * CONFIG_INVALID when it is another node's.
 */
export async function readOwnEnrolment(config: Config): Promise<OwnEnrolment> {
  const { node, domain, cluster } = config;
  const file = config.attestation.enrolmentFile;
  const document = await readDocument(file, {
    code: 'ATTESTATION_UNUSABLE',
    message: `Cannot attest ${node}: this node is not enrolled (${file} is not there)`,
    hint: ENROL_REMEDY,
  });
  const { owners } = config;
  const { enrolment, endorsedBy } = isEndorsed(document)
    ? await readByTwo(document, config)
    : { enrolment: inFile(file, () => readEnrolment(document, owners)), endorsedBy: [] };
  const found = `${enrolment.node} of ${enrolment.cluster} in ${enrolment.domain}`;
  const wanted = `${node} of ${cluster} in ${domain}`;
  if (found === wanted) return { document, enrolment, endorsedBy };
  throw new TidelockError('CONFIG_INVALID', {
    op: 'enrolment.fit',
    message: `Cannot use enrolment ${file}: it is for ${found}, the configuration says ${wanted}`,
    hint: 'Correct node, cluster or domain in the configuration, or enrol this node with tidelock enroll.',
  });
}

async function readByTwo(document: Json, config: Config): Promise<Omit<OwnEnrolment, 'document'>> {
  const { node, owners, attestation } = config;
  if (attestation.delegationFile === undefined) {
    throw new TidelockError('ATTESTATION_UNUSABLE', {
      op: 'enrolment.fit',
      message: `Cannot attest ${node}: two agents have enrolled it, and attestation.delegationFile names no delegation`,
      hint: `Name the owners’ delegation there, or move ${attestation.enrolmentFile} away. ${ENROL_REMEDY}`,
    });
  }
  const { policy } = await readAttestationPolicy(config);
  const terms = { owners, policy };
  const { enrolment, endorsers } = inFile(attestation.enrolmentFile, () =>
    readEndorsed(document, terms),
  );
  return { enrolment, endorsedBy: endorsers.map((each) => each.node) };
}

/**
 * The owners' word that two agents may enrol others; undefined when the configuration names no such file.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID, EVIDENCE_MALFORMED; CONFIG_INVALID when it is for another cluster.
 */
export async function readOwnDelegation(config: Config): Promise<OwnDelegation | undefined> {
  const { domain, cluster, owners } = config;
  const file = config.attestation.delegationFile;
  if (file === undefined) return undefined;
  const document = await readDocument(file);
  const delegation = inFile(file, () => {
    const read = readDelegation(document, owners);
    ekAuthoritiesOf(read); // all of them are needed, and none is left out
    return read;
  });
  if (delegation.domain === domain && delegation.cluster === cluster) {
    return { document: document as SignedDocument, delegation }; // it has that shape
  }
  throw new TidelockError('CONFIG_INVALID', {
    op: 'delegation.fit',
    message: `Cannot use delegation ${file}: it is for ${delegation.cluster} in ${delegation.domain}, the configuration says ${cluster} in ${domain}`,
    hint: 'Name the delegation of this cluster in attestation.delegationFile, or have an owner sign one with tidelock delegate.',
  });
}

/**
 * What the owners expect nodes to measure at boot; undefined when the configuration names no such file.
 * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID; CONFIG_INVALID when it is for another PCR bank than
 * `policy`, so that it could judge no quote.
 */
export async function readReference(
  { attestation, owners }: Config,
  policy: AttestationPolicy,
): Promise<ReferencePolicy | undefined> {
  const file = attestation.referenceFile;
  if (file === undefined) return undefined;
  const document = await readDocument(file);
  const reference = inFile(file, () => readReferencePolicy(document, owners));
  if (reference.bank === policy.bank) return reference;
  throw new TidelockError('CONFIG_INVALID', {
    op: 'reference.fit',
    message: `Cannot use reference policy ${file}: it is for bank ${reference.bank}, the attestation policy asks for ${policy.bank}`,
    hint: 'Make one of the right bank with tidelock policy from-evidence --bank, or have the owners sign another attestation policy.',
  });
}

/** What `read` gives; its error says which file is meant. */
function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof TidelockError)) throw cause;
    const { code, op, message, hint } = cause;
    throw new TidelockError(code, { op, message: `${message}; the file is ${file}`, hint, cause });
  }
}

/** The owners' policy is for this cluster and allows the period configured. */
function requireFit(
  file: string,
  policy: AttestationPolicy,
  { domain, cluster, epochs }: Config,
): void {
  const { min, max } = policy.periodMs;
  const fits = epochs.periodMs >= min && epochs.periodMs <= max;
  if (policy.domain === domain && policy.cluster === cluster && fits) return;
  throw new TidelockError('CONFIG_INVALID', {
    op: 'policy.fit',
    message: `Cannot use attestation policy ${file}: it is for ${policy.cluster} in ${policy.domain} with epochs.periodMs of ${min} to ${max}, the configuration says ${cluster} in ${domain} and ${epochs.periodMs}`,
    hint: 'Correct domain, cluster or epochs.periodMs, name the policy of this cluster in attestation.policyFile, or have the owners sign one with tidelock init --owner.',
  });
}
