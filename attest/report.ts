// The attestation report: what a node says of itself to somebody who is not there, signed by the keys
// that its TPM spoke for. It makes the document; attest/reportVerify.ts is the judge of one.
import type { SigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { canonical, type Json } from '#agent/base/jcs.ts';
import { nodeName, sid } from '#agent/base/schema.ts';
import { signDocument, type SignedDocument } from '#agent/base/signed.ts';
import { z } from 'zod';
import { evidenceSchema, type Evidence } from './evidence.ts';
import { shortName, unixMs } from './owned.ts';

export const REPORT_KIND = 'attestation-report';

const factName = z.string().regex(/^[a-zA-Z][a-zA-Z0-9]{0,31}$/);
const fact = z.union([z.string().max(512), z.number(), z.boolean()]);
const factGroup = z.record(factName, fact).refine((group) => Object.keys(group).length <= 32);
const facts = z.record(factName, factGroup).refine((all) => Object.keys(all).length <= 8);

/** What a node says of itself by group, `host` or `epochs`: nothing but its word is behind it. */
export type NodeFacts = Readonly<
  Record<string, Readonly<Record<string, string | number | boolean>>>
>;

/** Payload of a report whose signatures hold. */
export const reportSchema = z.strictObject({
  v: z.literal(1),
  domain: shortName,
  cluster: shortName,
  node: nodeName,
  /** Of the statement in the evidence. */
  sid,
  /** When the report was signed, by the node's own clock. */
  issuedAt: unixMs,
  /** When its TPM was asked, by the same clock. */
  attestedAt: unixMs,
  evidence: evidenceSchema,
  /** Owner-signed documents, whole: whoever pins the owner needs nothing else. */
  enrolment: z.json(),
  policy: z.json(),
  facts,
});

/** JSON. */
export type ReportBody = z.infer<typeof reportSchema>;

export interface ReportRequest {
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly sid: Sid;
  /** Unix milliseconds. */
  readonly issuedAtMs: number;
  readonly attestedAtMs: number;
  readonly evidence: Evidence;
  readonly enrolment: Json;
  readonly policy: Json;
  readonly facts: NodeFacts;
  /** The key that the statement in the evidence names. */
  readonly key: SigningKey;
}

/** Signs a report with both algorithms. */
export function signReport({
  key,
  issuedAtMs,
  attestedAtMs,
  ...said
}: ReportRequest): SignedDocument {
  const times = { issuedAt: issuedAtMs, attestedAt: attestedAtMs };
  return signDocument(REPORT_KIND, { v: 1, ...said, ...times }, key);
}

/** A report as it stands in a file: its canonical form (RFC 8785) and a line feed, nothing else. */
export const reportText = (report: SignedDocument): string => `${canonical(report)}\n`;
