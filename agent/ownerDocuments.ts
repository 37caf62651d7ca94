// What the owners signed for this node, verified and held against its configuration: the attestation
// policy, the enrolment and the reference policy. Whatever is wrong with one names its file.
import { TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
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
}

/** What to do about a node that is not enrolled. */
export const ENROL_REMEDY =
  'Run tidelock enroll --owner owner.key on this node, once, in a state known to be good.';

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
 * The enrolment of this node.
 * Errors: ATTESTATION_UNUSABLE when there is none; DOCUMENT_MALFORMED, SIGNATURE_INVALID;
 * CONFIG_INVALID when it is another node's.
 */
export async function readOwnEnrolment(config: Config): Promise<OwnEnrolment> {
  const { node, domain, cluster, owners } = config;
  const file = config.attestation.enrolmentFile;
  const document = await readDocument(file, {
    code: 'ATTESTATION_UNUSABLE',
    message: `Cannot attest ${node}: this node is not enrolled (${file} is not there)`,
    hint: ENROL_REMEDY,
  });
  const enrolment = inFile(file, () => readEnrolment(document, owners));
  const found = `${enrolment.node} of ${enrolment.cluster} in ${enrolment.domain}`;
  const wanted = `${node} of ${cluster} in ${domain}`;
  if (found === wanted) return { document, enrolment };
  throw new TidelockError('CONFIG_INVALID', {
    op: 'enrolment.fit',
    message: `Cannot use enrolment ${file}: it is for ${found}, the configuration says ${wanted}`,
    hint: 'Correct node, cluster or domain in the configuration, or enrol this node with tidelock enroll.',
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
