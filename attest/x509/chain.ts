// Whether a certificate chains to a self-signed one among those that somebody trusts (RFC 5280 6.1, as
// far as makers of TPMs and processors use it). It knows nothing of what the certificate is for.
import type { X509Certificate } from 'node:crypto';
import { certificateSignedBy } from '#agent/base/asymmetric.ts';
import { pathLength } from './extension.ts';

/** Keys that processors of Intel make for themselves have six: root, platform, issuing, ROM, kernel, PTT. */
const MAX_DEPTH = 8;

export type Chain =
  /** From the certificate's issuer to the root. */
  | { readonly trusted: true; readonly issuers: readonly X509Certificate[] }
  | { readonly trusted: false; readonly why: string };

/**
 * Looks for a path from `certificate` to a self-signed CA among `authorities`, each certificate of it
 * valid at `atMs` (Unix milliseconds), at most 8 issuers long.
 */
export const chainTo = (
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  atMs: number,
): Chain => new Search(authorities, atMs).climb(certificate, []);

class Search {
  readonly #authorities: readonly X509Certificate[];
  readonly #atMs: number;
  /** From which depth on a certificate led nowhere, and why: none is tried in every order. */
  readonly #failed = new Map<X509Certificate, { readonly depth: number; readonly why: string }>();

  constructor(authorities: readonly X509Certificate[], atMs: number) {
    this.#authorities = authorities;
    this.#atMs = atMs;
  }

  climb(certificate: X509Certificate, issuers: readonly X509Certificate[]): Chain {
    const date = outOfDate(certificate, this.#atMs);
    if (date !== undefined) return refused(date);
    if (issuers.length > 0 && isSelfSigned(certificate)) return { trusted: true, issuers };
    if (issuers.length === MAX_DEPTH) return refused(`more than ${MAX_DEPTH} issuers`);
    const named = this.#authorities.filter((ca) => ca.ca && certificate.checkIssued(ca));
    const signers = named.filter((ca) => certificateSignedBy(certificate, ca));
    let refusal = issuerMissing(certificate, named.length > 0, this.#authorities.length);
    const depth = issuers.length + 1;
    const below = issuers.filter(({ subject, issuer }) => subject !== issuer).length;
    for (const signer of signers) {
      if (below > longestPath(signer)) {
        refusal = `"${oneLine(signer.subject)}" may not have ${below} CAs below it`;
        continue;
      }
      const failed = this.#failed.get(signer);
      if (failed !== undefined && depth >= failed.depth) {
        refusal = failed.why;
        continue;
      }
      const found = this.climb(signer, [...issuers, signer]);
      if (found.trusted) return found; // the same CA may be there twice, cross-signed or renewed
      refusal = found.why;
      this.#failed.set(signer, { depth, why: refusal });
    }
    return refused(refusal);
  }
}

/** One whose extensions cannot be read may sign for keys alone. */
function longestPath({ raw }: X509Certificate): number {
  try {
    return pathLength(raw);
  } catch {
    return 0;
  }
}

const refused = (why: string): Chain => ({ trusted: false, why });

export const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.subject === certificate.issuer && certificateSignedBy(certificate, certificate);

function issuerMissing(certificate: X509Certificate, named: boolean, count: number): string {
  const issuer = oneLine(certificate.issuer);
  return named
    ? `the signature of "${issuer}" does not verify`
    : `its issuer "${issuer}" is not among the ${count} authorities`;
}

/** Why a certificate does not count at `atMs` (Unix milliseconds); undefined when it does. */
export function outOfDate(certificate: X509Certificate, atMs: number): string | undefined {
  const { validFrom, validTo, validFromDate, validToDate } = certificate;
  const name = oneLine(certificate.subject) || 'the certificate';
  if (atMs < validFromDate.getTime()) return `"${name}" is not valid before ${validFrom}`;
  if (atMs > validToDate.getTime()) return `"${name}" expired ${validTo}`;
  return undefined;
}

/** A distinguished name on one line. */
export const oneLine = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ');
