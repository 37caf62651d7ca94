// Opens a report file: from bytes that anybody may have written to a payload that the keys named in it
// signed. It believes nothing yet: whose keys these are is for attest/reportVerify.ts.
import { decodeSigningPublic, signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { fromB64url, hex, sha256, truncate, type Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { b64Text, nodeName, parseAs, problemsOf } from '#agent/base/schema.ts';
import {
  BOTH,
  verifyDocument,
  type SignatureAlg,
  type SignedDocument,
} from '#agent/base/signed.ts';
import { z } from 'zod';
import { fail, pass, type Check } from './check.ts';
import { MAX_STATEMENT_BYTES } from './evidence.ts';
import { shortName, unixMs } from './owned.ts';
import { REPORT_KIND, reportSchema, type ReportBody } from './report.ts';
import { readCanonical } from './reportText.ts';

/** Evidence has at most 512 KiB of event log, 683 KiB in base64url; the rest is below 64 KiB. */
export const MAX_REPORT_BYTES = 1 << 20;

const SIGN_BYTES = 32 + 1952;
const ED25519_SIGNATURE_BYTES = 64;
const MLDSA65_SIGNATURE_BYTES = 3309;
const keyId = b64Text(16);

/** Both signatures and no other: what is added to a document after signing is no part of it. */
const fileSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal(REPORT_KIND),
  payload: z.custom<Json>((value) => typeof value === 'object' && value !== null),
  signatures: z.tuple([
    z.strictObject({
      alg: z.literal('Ed25519'),
      keyId,
      sig: b64Text(ED25519_SIGNATURE_BYTES),
    }),
    z.strictObject({
      alg: z.literal('ML-DSA-65'),
      keyId,
      sig: b64Text(MLDSA65_SIGNATURE_BYTES),
    }),
  ]),
});

/** All that is read of a payload before its signatures held. */
const beforeSignature = z.looseObject({ evidence: z.looseObject({ statement: z.string() }) });

/** The fields of a node statement (PROTOCOL 2) that a report is held against. */
const statedSchema = z.looseObject({
  v: z.literal(1),
  domain: shortName,
  cluster: shortName,
  node: nodeName,
  sign: b64Text(SIGN_BYTES),
  issuedAt: unixMs,
});

/** What the statement in a report says. */
export interface Stated {
  readonly sid: Sid;
  /** SHA-256 of its bytes, which the quote answers for. */
  readonly hash: Buffer;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  readonly sign: SigningPublic;
  readonly issuedAtMs: number;
}

/** A report as far as it is opened. */
export interface OpenedReport {
  /** SHA-256 of the file, hex. */
  readonly digest: string;
  /** Of the key that signed or should have. */
  readonly keyId: string;
  readonly stated: Stated;
  readonly signatures: readonly Check[];
  /** Present when both signatures held. */
  readonly body: ReportBody | undefined;
}

/**
 * Opens the bytes of a report file.
 * Errors: DOCUMENT_MALFORMED, never for a signature that does not hold.
 */
export function openReport(bytes: Bytes): OpenedReport {
  const document = documentOf(bytes);
  const read = beforeSignature.safeParse(document.payload);
  if (!read.success) throw malformed(problemsOf(read.error).slice(0, 3).join('; '));
  const stated = statedIn(fromB64url(read.data.evidence.statement));
  const signatures = BOTH.map((alg) => signatureCheck(document, stated.sign, alg));
  const hold = signatures.every(({ result }) => result === 'pass');
  return {
    digest: hex(sha256(bytes)),
    keyId: signingKeyId(stated.sign),
    stated,
    signatures,
    body: hold ? bodyOf(document.payload) : undefined,
  };
}

function documentOf(bytes: Bytes): SignedDocument {
  const end = bytes.length - 1;
  if (bytes[end] !== LINE_FEED) throw malformed('it does not end with a line feed: cut short?');
  const json = readCanonical(bytes.subarray(0, end), MAX_REPORT_BYTES);
  if ('why' in json) throw malformed(json.why);
  const read = fileSchema.safeParse(json.value);
  if (!read.success) throw malformed(problemsOf(read.error).slice(0, 3).join('; '));
  return read.data;
}

const LINE_FEED = 0x0a;

function statedIn(bytes: Buffer): Stated {
  const json = readCanonical(bytes, MAX_STATEMENT_BYTES);
  if ('why' in json) throw malformed(`its statement is ${json.why}`);
  const read = statedSchema.safeParse(json.value);
  if (!read.success) {
    throw malformed(`its statement: ${problemsOf(read.error).slice(0, 3).join('; ')}`);
  }
  const { domain, cluster, node, sign, issuedAt } = read.data;
  const hash = sha256(bytes);
  return {
    sid: hex(truncate(16, hash)) as Sid,
    hash,
    domain,
    cluster,
    node,
    sign: decodeSigningPublic(fromB64url(sign)),
    issuedAtMs: issuedAt,
  };
}

function signatureCheck(document: SignedDocument, key: SigningPublic, alg: SignatureAlg): Check {
  const name = `report signature ${alg}`;
  try {
    verifyDocument(document, REPORT_KIND, [key], [alg]);
    return pass(name, `Made by key ${signingKeyId(key)}, which the node statement names.`);
  } catch (error) {
    if (!(error instanceof TidelockError && error.code === 'SIGNATURE_INVALID')) throw error;
    const text = `Not made by key ${signingKeyId(key)} over these bytes: something was changed after signing. Fetch the report from the node again.`;
    return fail(name, text);
  }
}

const bodyOf = (payload: Json): ReportBody =>
  parseAs(reportSchema, payload, {
    code: 'DOCUMENT_MALFORMED',
    op: OP,
    what: 'attestation report',
    hint: 'It is signed, yet does not fit this version of tidelock: compare `tidelock version` with the agent version in it.',
  });

const OP = 'report.open';

const malformed = (state: string): TidelockError =>
  new TidelockError('DOCUMENT_MALFORMED', {
    op: OP,
    message: `Cannot read attestation report: ${state.slice(0, 500)}`,
    hint: 'Give a file as `tidelock report --out` or the agent wrote it, unchanged to the last byte.',
  });
