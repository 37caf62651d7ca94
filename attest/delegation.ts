// Delegation: the owners' word that two agents together may enrol nodes of some names, with TPMs by makers that owners
// name and in a boot state that owners know (PROTOCOL 3.10). Without one nobody enrols but owners.
import type { X509Certificate } from 'node:crypto';
import type { SigningKey, SigningPublic } from '#agent/base/asymmetric.ts';
import { fromB64url } from '#agent/base/bytes.ts';
import { isNodeName, type NodeName } from '#agent/base/brands.ts';
import { canonical } from '#agent/base/jcs.ts';
import { b64TextMax } from '#agent/base/schema.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { parseCertificate } from '#attest/x509/certificate.ts';
import { z } from 'zod';
import { parseEkCertificate, trustEk, type EkCertificate } from './ek.ts';
import { referenceSchema, type Enrolment } from './enrolment.ts';
import { readOwned, shortName, unixMs } from './owned.ts';

export const DELEGATION_KIND = 'enrolment-delegation';
/** Each enrolment by two agents carries its delegation whole. */
export const MAX_NAMES = 64;
export const MAX_EK_ROOTS = 16;
const MAX_EK_ROOT_BYTES = 4096;

/** `worker-*`: each name that begins so; the rest of a pattern is never special. */
const PREFIX = /^[a-z0-9][a-z0-9.-]{0,251}\*$/;

const namePattern = z
  .string()
  .refine(
    (text) => isNodeName(text) || PREFIX.test(text),
    'must be a node name, or the beginning of one and *',
  );

export const delegationSchema = z
  .strictObject({
    v: z.literal(1),
    domain: shortName,
    cluster: shortName.max(63),
    issuedAt: unixMs,
    /** Nobody is enrolled under it later. */
    until: unixMs,
    nodes: z.array(namePattern).min(1).max(MAX_NAMES),
    /** DER of roots and intermediates of TPM makers. */
    ekRoots: z.array(b64TextMax(MAX_EK_ROOT_BYTES)).min(1).max(MAX_EK_ROOTS),
    /** What such nodes are to boot into. */
    reference: referenceSchema,
  })
  .refine(({ issuedAt, until }) => until >= issuedAt, {
    error: 'it ends before it begins',
    path: ['until'],
  });

export type Delegation = z.infer<typeof delegationSchema>;

/** Errors: Error (zod) when it is none. */
export const signDelegation = (
  delegation: Delegation,
  owner: SigningKey,
): SignedDocument<Delegation> =>
  signDocument(DELEGATION_KIND, delegationSchema.parse(delegation), owner);

/** Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID. */
export const readDelegation = (document: unknown, owners: readonly SigningPublic[]): Delegation =>
  readOwned(document, DELEGATION_KIND, owners, delegationSchema);

/** Whether it is about nodes of this name. */
export const coversNode = ({ nodes }: Pick<Delegation, 'nodes'>, node: NodeName): boolean =>
  nodes.some((name) => (name.endsWith('*') ? node.startsWith(name.slice(0, -1)) : node === name));

/** Its roots and intermediates. Errors: EVIDENCE_MALFORMED when one of them cannot be read. */
export const ekAuthoritiesOf = ({ ekRoots }: Pick<Delegation, 'ekRoots'>): X509Certificate[] =>
  ekRoots.map((der) => parseCertificate(fromB64url(der), 'EK root of the delegation'));

/** Why nobody of that name is enrolled under it at `atMs`, unix milliseconds, as one clause; undefined: it is free to. */
export function namesObjection(
  delegation: Delegation,
  { node, domain, cluster }: Pick<Enrolment, 'node' | 'domain' | 'cluster'>,
  atMs: number,
): string | undefined {
  if (delegation.domain !== domain || delegation.cluster !== cluster) {
    return `the delegation is for ${delegation.cluster} in ${delegation.domain}`;
  }
  if (!coversNode(delegation, node)) {
    return `the delegation covers ${delegation.nodes.slice(0, 8).join(', ')}${delegation.nodes.length > 8 ? ' and others' : ''}, not ${node}`;
  }
  if (atMs < delegation.issuedAt) return `the delegation begins ${isoTime(delegation.issuedAt)}`;
  return atMs > delegation.until ? `the delegation ended ${isoTime(delegation.until)}` : undefined;
}

/** Why a TPM with that certificate is not enrolled at `atMs`, unix milliseconds; else the certificate. */
export function delegatedEk(
  delegation: Delegation,
  certificate: Uint8Array,
  atMs: number,
): EkCertificate | { readonly why: string } {
  const ek = parseEkCertificate(certificate);
  const trust = trustEk(ek, ekAuthoritiesOf(delegation), atMs);
  return trust.trusted ? ek : { why: `its TPM is not by a maker of the delegation: ${trust.why}` };
}

/** Whether an enrolment has the values of the delegation and no others. */
export const hasReferenceOf = (delegation: Delegation, { reference }: Enrolment): boolean =>
  canonical(reference) === canonical(delegation.reference);

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();
