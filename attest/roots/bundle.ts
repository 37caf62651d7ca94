// The roots bundle: authorities in one JSON document, each with its DER, where it came from and when it
// was added. What it states of a certificate must be what the certificate says.
import { z } from 'zod';
import { b64url, fromB64url, type Bytes } from '#agent/base/bytes.ts';
import { messageOf } from '#agent/base/errors.ts';
import { b64TextMax, parseAs } from '#agent/base/schema.ts';
import { malformed } from '#attest/cursor.ts';
import { MAX_CERTIFICATE_BYTES } from '#attest/ek.ts';
import { hexText, unixMs } from '#attest/owned.ts';
import { parseCertificate } from '#attest/x509/certificate.ts';
import { authorityFacts, type Authority } from './authority.ts';

/** All makers of TPMs together have some 300 authorities. */
const MAX_ENTRIES = 4096;
const text = z.string().max(1024);

const entrySchema = z.strictObject({
  name: text,
  vendor: text,
  subject: text,
  /** Of the DER, hex. */
  sha256: hexText(32),
  role: z.enum(['root', 'intermediate']),
  /** ISO 8601. */
  notAfter: text,
  /** URL or words: where whoever added it took it from. */
  source: text.min(1),
  addedAt: unixMs,
  /** base64url, byte for byte as the authority published it. */
  der: b64TextMax(MAX_CERTIFICATE_BYTES).min(1),
});

const bundleSchema = z.strictObject({
  v: z.literal(1),
  roots: z.array(entrySchema).max(MAX_ENTRIES),
});

export type RootsBundle = z.infer<typeof bundleSchema>;

/**
 * The authorities of a bundle.
 * Errors: EVIDENCE_MALFORMED, naming `what`; also when an entry states something that its certificate does
 * not say.
 */
export function readBundle(bytes: Bytes, what = 'roots bundle'): Authority[] {
  const { roots } = parseAs(bundleSchema, jsonOf(bytes, what), {
    code: 'EVIDENCE_MALFORMED',
    op: 'roots.read',
    what,
    hint: 'A bundle is made by tidelock roots add; make it again from the certificates.',
  });
  return roots.map((entry) => {
    const { der, source, addedAt, ...stated } = entry;
    const certificate = parseCertificate(fromB64url(der), `${what}: ${entry.name}`);
    const facts = authorityFacts(certificate);
    for (const key of Object.keys(facts) as (keyof typeof facts)[]) {
      if (facts[key] === stated[key]) continue;
      const state = `${stated.name}: ${key} is ${JSON.stringify(stated[key])}, the certificate says ${JSON.stringify(facts[key])}`;
      throw malformed(what, state);
    }
    return { certificate, source, addedAtMs: addedAt };
  });
}

/** A bundle of `authorities`, each once, sorted by vendor and name. */
export function makeBundle(authorities: readonly Authority[], nowMs: number): RootsBundle {
  const entries = authorities.map(({ certificate, source, addedAtMs = nowMs }) => ({
    ...authorityFacts(certificate),
    source,
    addedAt: addedAtMs,
    der: b64url(certificate.raw),
  }));
  const once = new Map(entries.toReversed().map((entry) => [entry.sha256, entry])); // the first stays
  const sortKey = ({ vendor, name, sha256 }: (typeof entries)[number]): string =>
    `${vendor}\n${name}\n${sha256}`;
  return {
    v: 1,
    roots: [...once.values()].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)),
  };
}

/** True for bytes that want to be a bundle rather than a certificate. */
export const looksLikeBundle = (bytes: Buffer): boolean =>
  bytes.subarray(0, 64).toString('latin1').trimStart().startsWith('{');

function jsonOf(bytes: Bytes, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw malformed(what, messageOf(cause), cause);
  }
}
