// What is wrong with a set of authorities: expired, no authority at all, badly signed, weak, twice there or
// without a root. It knows the certificates alone, not who chose them.
import type { X509Certificate } from 'node:crypto';
import { certificateSignedBy } from '#agent/base/asymmetric.ts';
import { messageOf } from '#agent/base/errors.ts';
import type { Severity } from '#attest/finding.ts';
import { departuresFromDer } from '#attest/ekForm.ts';
import { certificateKey } from '#attest/x509/certificate.ts';
import { isSelfSigned, oneLine } from '#attest/x509/chain.ts';
import { authorityFacts, type Authority, type AuthorityFacts } from './authority.ts';

export interface RootFinding {
  readonly code:
    | 'NO_AUTHORITY'
    | 'NOT_A_CA'
    | 'SELF_SIGNATURE_BAD'
    | 'EXPIRED'
    | 'NOT_YET_VALID'
    | 'EXPIRES_SOON'
    | 'NO_ROOT'
    | 'KEY_UNREADABLE'
    | 'WEAK_KEY'
    | 'WEAK_SIGNATURE'
    | 'NOT_DER'
    | 'DUPLICATE';
  readonly severity: Severity;
  /** SHA-256 of the certificate, hex; null where it is about the whole set. */
  readonly sha256: string | null;
  readonly text: string;
}

const SOON_DAYS = 180;
const DAY_MS = 86_400_000;
const LEAST_RSA_BITS = 2048;
const LEAST_CURVE_BITS = 256;

/** Everything that is wrong as of `atMs` (Unix milliseconds). Only an `error` makes an authority useless. */
export function checkAuthorities(authorities: readonly Authority[], atMs: number): RootFinding[] {
  if (authorities.length === 0) return [NO_AUTHORITY];
  const certificates = authorities.map(({ certificate }) => certificate);
  const sources = new Map<string, string>();
  return authorities.flatMap(({ certificate, source }) => {
    const facts = authorityFacts(certificate);
    const first = sources.get(facts.sha256);
    const found = finder(facts);
    if (first !== undefined) {
      return [found('DUPLICATE', 'info', `is in ${first} and in ${source}. One is enough.`)];
    }
    sources.set(facts.sha256, source);
    return [
      ...formFindings(certificate, facts, found),
      ...dateFindings(certificate, atMs, found),
      ...strengthFindings(certificate, facts, found),
      ...pathFindings(certificate, certificates, facts, found),
    ];
  });
}

const NO_AUTHORITY: RootFinding = {
  code: 'NO_AUTHORITY',
  severity: 'error',
  sha256: null,
  text: 'There is no authority, so that no TPM could be trusted. Put the root and intermediate certificates of its maker there, PEM or DER.',
};

type Find = (code: RootFinding['code'], severity: Severity, state: string) => RootFinding;

const finder =
  ({ name, role, sha256 }: AuthorityFacts): Find =>
  (code, severity, state) => ({ code, severity, sha256, text: `${role} "${name}" ${state}` });

function formFindings(
  certificate: X509Certificate,
  { role }: AuthorityFacts,
  found: Find,
): RootFinding[] {
  const findings: RootFinding[] = [];
  const departures = departuresIn(certificate);
  if (departures.length > 0) {
    findings.push(found('NOT_DER', 'info', `is not quite DER: ${departures.join(', ')}.`));
  }
  if (!certificate.ca) {
    const state = 'is no authority by its basic constraints, and vouches for nothing. Remove it.';
    findings.push(found('NOT_A_CA', 'error', state));
  }
  if (role === 'root' && !isSelfSigned(certificate)) {
    const state = 'bears its own name as issuer, but its signature is not its own. Remove it.';
    findings.push(found('SELF_SIGNATURE_BAD', 'error', state));
  }
  return findings;
}

/** OpenSSL has read the certificate, but it is more lenient. */
function departuresIn({ raw }: X509Certificate): string[] {
  try {
    return departuresFromDer(raw);
  } catch (error) {
    return [messageOf(error)];
  }
}

function dateFindings(
  { validFromDate, validToDate }: X509Certificate,
  atMs: number,
  found: Find,
): RootFinding[] {
  const last = validToDate.toISOString();
  const days = Math.floor((validToDate.getTime() - atMs) / DAY_MS);
  if (atMs > validToDate.getTime()) {
    return [found('EXPIRED', 'warning', `expired ${last}: chains over it are refused.`)];
  }
  if (atMs < validFromDate.getTime()) {
    return [found('NOT_YET_VALID', 'warning', `is valid from ${validFromDate.toISOString()}.`)];
  }
  if (days >= SOON_DAYS) return [];
  return [
    found('EXPIRES_SOON', 'warning', `expires ${last}, in ${days} days. Look for its successor.`),
  ];
}

/** A root's own signature proves nothing, so that its digest does not matter. */
function strengthFindings(
  certificate: X509Certificate,
  { role }: AuthorityFacts,
  found: Find,
): RootFinding[] {
  const key = certificateKey(certificate);
  if (key === undefined) {
    const state = 'has a key that OpenSSL cannot read, and vouches for nothing. Remove it.';
    return [found('KEY_UNREADABLE', 'error', state)];
  }
  const { signatureAlgorithm = 'unknown' } = certificate;
  const { modulusLength, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const curveBits = Number(/\d{3}/.exec(namedCurve)?.[0] ?? 0);
  const isWeak =
    modulusLength === undefined ? curveBits < LEAST_CURVE_BITS : modulusLength < LEAST_RSA_BITS;
  const type = `${key.asymmetricKeyType ?? 'unknown'} ${modulusLength ?? namedCurve}`.trim();
  const findings = isWeak ? [found('WEAK_KEY', 'warning', `has a weak key, ${type}.`)] : [];
  return role === 'intermediate' && /md5|sha-?1(?!\d)/i.test(signatureAlgorithm)
    ? [...findings, found('WEAK_SIGNATURE', 'warning', `is signed with ${signatureAlgorithm}.`)]
    : findings;
}

function pathFindings(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  { role }: AuthorityFacts,
  found: Find,
): RootFinding[] {
  if (role === 'root' || leadsToRoot(certificate, authorities, new Set())) return [];
  const issuer = oneLine(certificate.issuer);
  const state = `leads to no root among the ${authorities.length} authorities: neither "${issuer}" nor its issuers do. Add them.`;
  return [found('NO_ROOT', 'warning', state)];
}

/** Signatures alone: dates are findings of their own. */
function leadsToRoot(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  seen: Set<X509Certificate>,
): boolean {
  if (isSelfSigned(certificate)) return true;
  if (seen.has(certificate)) return false;
  seen.add(certificate);
  return authorities.some(
    (ca) =>
      certificate.checkIssued(ca) &&
      certificateSignedBy(certificate, ca) &&
      leadsToRoot(ca, authorities, seen),
  );
}
