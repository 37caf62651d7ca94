// One authority that somebody trusts to vouch for keys of TPMs: a root or an intermediate, with where it
// came from. It says what a certificate is; whether it is any good is for check.ts.
import type { X509Certificate } from 'node:crypto';
import { hex, sha256 } from '#agent/base/bytes.ts';
import { oneLine } from '#attest/x509/chain.ts';

export interface Authority {
  readonly certificate: X509Certificate;
  /** The file, URL or words by which it got here. */
  readonly source: string;
  /** Unix milliseconds; undefined for a file in a directory. */
  readonly addedAtMs: number | undefined;
}

/** `root` when subject and issuer are the same name; the signature is not looked at. */
export type AuthorityRole = 'root' | 'intermediate';

/** An authority in words, all of it taken from its certificate. */
export interface AuthorityFacts {
  readonly name: string;
  readonly vendor: string;
  readonly subject: string;
  /** Of the DER, hex. */
  readonly sha256: string;
  readonly role: AuthorityRole;
  /** ISO 8601. */
  readonly notAfter: string;
}

/** Between parts of a name as Node prints it; ` + ` stands within a set of several. */
const RDN = /\n| \+ (?=[A-Za-z]+=)/;

/** What the certificate of an authority says of itself. */
export function authorityFacts(certificate: X509Certificate): AuthorityFacts {
  const { subject, issuer, raw, validToDate } = certificate;
  const rdns = new Map(
    (subject ?? '').split(RDN).map((rdn) => {
      const at = rdn.indexOf('=');
      return [rdn.slice(0, at), rdn.slice(at + 1)] as const;
    }),
  );
  const text = oneLine(subject);
  const name = rdns.get('CN') ?? rdns.get('OU') ?? text;
  return {
    name,
    vendor: rdns.get('O') ?? name,
    subject: text,
    sha256: hex(sha256(raw)),
    role: subject === issuer ? 'root' : 'intermediate',
    notAfter: validToDate.toISOString(),
  };
}
