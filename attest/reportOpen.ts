// Opens a report file: from bytes that anybody may have written to a payload that the keys named in it
// signed. It believes nothing yet: whose keys these are is for attest/reportVerify.ts.
import { signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import { b64url, fromB64url, hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import { problemsOf } from '#agent/base/schema.ts';
import {
  BOTH,
  verifyDocument,
  type SignatureAlg,
  type SignedDocument,
} from '#agent/base/signed.ts';
import { z } from 'zod';
import { fail, pass, type Check } from './check.ts';
import { REPORT_KIND, reportSchema, type ReportBody } from './report.ts';
import { readStated, type Stated } from './reportStated.ts';
import { isCanonical, readBounded } from './boundedJson.ts';

/** Evidence has at most 512 KiB of event log, 683 KiB in base64url; the rest is below 64 KiB. */
export const MAX_REPORT_BYTES = 1 << 20;

const text = z.string().max(8192);
const signature = z.strictObject({ alg: text, keyId: text, sig: text });

/** Two signatures and nothing else: what stands beside them is signed by nobody. */
const fileSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal(REPORT_KIND),
  payload: z.custom<Json>((value) => typeof value === 'object' && value !== null),
  signatures: z.tuple([signature, signature]),
});

/** All that is read of a payload before its signatures held. */
const beforeSignature = z.looseObject({ evidence: z.looseObject({ statement: z.string() }) });

/** What the keys of a report signed. */
export interface Signed {
  readonly keyId: string;
  readonly stated: Stated;
  readonly body: ReportBody;
}

export interface OpenedReport {
  /** SHA-256 of the file, hex. */
  readonly digest: string;
  /** Of form and signatures. */
  readonly checks: readonly Check[];
  /** Present when every check passed. */
  readonly signed: Signed | undefined;
}

/**
 * Opens the bytes of a report file.
 * Errors: DOCUMENT_MALFORMED for what never was a report; one that was changed is a failed check.
 */
export function openReport(bytes: Bytes): OpenedReport {
  const digest = hex(sha256(bytes));
  const document = documentOf(bytes);
  if ('why' in document) {
    if (!Buffer.from(bytes).subarray(0, START.length).equals(START)) throw malformed(document.why);
    const text = `It starts as a report does, but it is ${document.why}: a byte was changed, or the end is missing.`;
    return { digest, checks: [fail(FORM, text)], signed: undefined };
  }
  const form = formCheck(bytes, document);
  const stated = statedIn(document.payload);
  if ('why' in stated) {
    const unsigned = fail('statement', `${stated.why}, so that there is no key to verify by.`);
    return { digest, checks: [form, unsigned], signed: undefined };
  }
  const signatures = BOTH.map((alg) => signatureCheck(document, stated.sign, alg));
  const checks = [form, ...signatures];
  if (checks.some(({ result }) => result !== 'pass')) return { digest, checks, signed: undefined };
  const keyId = signingKeyId(stated.sign);
  return { digest, checks, signed: { keyId, stated, body: bodyOf(document.payload) } };
}

/** Every report starts so, `kind` being the first member in canonical order. */
const START = Buffer.from(`{"kind":"${REPORT_KIND}","payload":{`);

function documentOf(bytes: Bytes): SignedFile | { readonly why: string } {
  const json = readBounded(bytes, MAX_REPORT_BYTES);
  if ('why' in json) return json;
  const read = fileSchema.safeParse(json.value);
  if (read.success) return read.data;
  return { why: `not a signed report (${problemsIn(read.error)})` };
}

/** A report whose algorithms may be called anything yet. */
type SignedFile = z.infer<typeof fileSchema>;

const LINE_FEED = 0x0a;
const FORM = 'report form';

function formCheck(bytes: Bytes, document: SignedFile): Check {
  const end = bytes.length - 1;
  return bytes[end] === LINE_FEED && isCanonical(bytes.subarray(0, end), document)
    ? pass(FORM, 'Canonical JSON (RFC 8785) and a line feed, as reports are written.')
    : fail(
        FORM,
        'It is not in the form in which reports are written: a byte was changed, or a program formatted it anew. Take the file as the agent wrote it.',
      );
}

function statedIn(payload: Json): ReturnType<typeof readStated> {
  const read = beforeSignature.safeParse(payload);
  return read.success
    ? readStated(fromB64url(read.data.evidence.statement))
    : { why: 'It holds no node statement' };
}

function signatureCheck(document: SignedFile, key: SigningPublic, alg: SignatureAlg): Check {
  const name = `report signature ${alg}`;
  return isSignedBy(document, key, alg)
    ? pass(name, `Made by key ${signingKeyId(key)}, which the node statement names.`)
    : fail(
        name,
        `Not made by key ${signingKeyId(key)} over these bytes: something was changed after signing. Fetch the report from the node again.`,
      );
}

function isSignedBy(document: SignedFile, key: SigningPublic, alg: SignatureAlg): boolean {
  const signatures = document.signatures.flatMap(({ alg: named, keyId, sig }) =>
    // base64url has several spellings for some bytes, of which one was written
    named === alg && b64url(fromB64url(sig)) === sig ? [{ alg, keyId, sig }] : [],
  );
  const one: SignedDocument = { ...document, signatures };
  try {
    verifyDocument(one, REPORT_KIND, [key], [alg]);
    return true;
  } catch (error) {
    if (error instanceof TidelockError && NOT_SIGNED.has(error.code)) return false;
    throw error;
  }
}

/** The last is of a payload without a canonical form, which nobody can have signed. */
const NOT_SIGNED: ReadonlySet<string> = new Set(['SIGNATURE_INVALID', 'DOCUMENT_MALFORMED']);

function bodyOf(payload: Json): ReportBody {
  const read = reportSchema.safeParse(payload);
  if (read.success) return read.data;
  throw malformed(`signed, yet not as this version knows it (${problemsIn(read.error)})`);
}

/** The first problems of a failed parse, as they may be printed: names in it are the sender's. */
const problemsIn = (error: z.ZodError): string =>
  problemsOf(error)
    .slice(0, 3)
    .join('; ')
    .slice(0, 300)
    .replace(/\p{Control}/gu, '?');

const malformed = (state: string): TidelockError =>
  new TidelockError('DOCUMENT_MALFORMED', {
    op: 'report.open',
    message: `Cannot read attestation report: it is ${state}`,
    hint: 'Give a file as `tidelock report --out` or the agent wrote it, whole and unchanged; compare `tidelock version` with that of the agent.',
  });
