// AMD's chain above the certificate of a signing key: VEK, then ASK or ASVK, then the root ARK (AMD 57230
// 2). It says whether the chain holds and whose root it ends at; the key itself is for endorsement.ts.
import type { X509Certificate } from 'node:crypto';
import { certificateSignedBy } from '#agent/base/asymmetric.ts';
import { hex, sha256 } from '#agent/base/bytes.ts';
import { fail, notChecked, pass, type Check } from '#attest/check.ts';
import { isSelfSigned, outOfDate } from '#attest/x509/chain.ts';
import { crlSignedBy, isRevoked, type RevocationList } from '#attest/x509/crl.ts';
import { AMD_ROOTS } from './product.ts';
import { commonName, type Vek } from './vek.ts';

export interface ChainTerms {
  readonly certificates: readonly X509Certificate[];
  /** SHA-256 in hex of root certificates that are trusted besides AMD's own. */
  readonly roots: readonly string[];
  /** AMD's revocation lists, those of other products among them. */
  readonly revocationLists: readonly RevocationList[];
  /** Unix milliseconds as of which certificates must be valid. */
  readonly atMs: number;
}

const CHAIN = 'certificate chain';
const ROOT = 'AMD root';

export interface ChainAnswer {
  readonly checks: readonly Check[];
  /** True when it ends at a trusted root, is valid, and nothing given takes it back. */
  readonly holds: boolean;
}

/** Judges the chain from `leaf`, the certificate of `vek`, up to its root. */
export function judgeChain(leaf: X509Certificate, vek: Vek, terms: ChainTerms): ChainAnswer {
  const authorities = terms.certificates.filter(({ ca }) => ca);
  const ask = issuerOf(leaf, authorities);
  if ('check' in ask) return { checks: [ask.check], holds: false };
  const ark = issuerOf(ask.issuer, authorities);
  if ('check' in ark) return { checks: [ark.check], holds: false };
  const [intermediate, root] = [commonName(ask.issuer), commonName(ark.issuer)];
  const checks = [
    pass(CHAIN, `${commonName(leaf)} is certified by ${intermediate}, that by ${root}.`),
    rootCheck(ark.issuer, vek, terms.roots),
    validityCheck([leaf, ask.issuer, ark.issuer], terms.atMs),
    revocationCheck(ask.issuer, ark.issuer, terms),
  ];
  return { checks, holds: checks.every(({ result }) => result !== 'fail') };
}

function issuerOf(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): { readonly issuer: X509Certificate } | { readonly check: Check } {
  const others = authorities.filter(({ raw }) => !raw.equals(certificate.raw));
  const named = others.filter(({ subject }) => subject === certificate.issuer);
  const issuer = named.find(
    (each) => certificate.checkIssued(each) && certificateSignedBy(certificate, each),
  );
  if (issuer !== undefined) return { issuer };
  const [subject, wanted] = [commonName(certificate), nameOfIssuer(certificate)];
  if (named.length > 0) {
    return { check: fail(CHAIN, `The signature of ${wanted} on ${subject} does not verify.`) };
  }
  if (others.length > 0) {
    const given = others.map(commonName).join(', ');
    const text = `${subject} was issued by ${wanted}; given are ${given}: the chain of another product, or the wrong root.`;
    return { check: fail(CHAIN, text) };
  }
  const text = `${wanted}, which issued ${subject}, is not given: add AMD’s cert_chain (--chain).`;
  return { check: notChecked(CHAIN, text, 'none') };
}

const nameOfIssuer = ({ issuer }: X509Certificate): string => commonName({ subject: issuer });

function rootCheck(root: X509Certificate, vek: Vek, trusted: readonly string[]): Check {
  const name = commonName(root);
  const digest = hex(sha256(root.raw));
  const product = AMD_ROOTS[digest];
  if (!isSelfSigned(root)) return fail(ROOT, `${name} is no root: it is not self-signed.`);
  if (trusted.includes(digest)) return pass(ROOT, `The policy trusts the root ${name}, ${digest}.`);
  if (product === undefined) {
    const text = `The root ${name}, SHA-256 ${digest}, is none of AMD’s: it could be anybody’s. A root of your own goes into the policy, as roots.`;
    return fail(ROOT, text);
  }
  return product === vek.product
    ? pass(ROOT, `The root is AMD’s own for ${product}.`)
    : fail(ROOT, `The root is AMD’s for ${product}, the key is of a ${vek.productName} processor.`);
}

function validityCheck(path: readonly X509Certificate[], atMs: number): Check {
  const name = 'validity';
  const why = path.map((each) => outOfDate(each, atMs)).find((each) => each !== undefined);
  if (why === undefined) {
    return pass(name, 'Every certificate of the chain is valid at the time of judgement.');
  }
  const at = new Date(atMs).toISOString();
  const remedy = 'Get the current one, or judge an archived report as of its time with --at.';
  return fail(name, `At ${at} ${why}. ${remedy}`);
}

/**
 * AMD takes back intermediate keys by a list of its root; a VEK is superseded by a new TCB instead. The
 * newest list counts, and what any takes back stays so: no list of AMD's ever gives a key back.
 */
function revocationCheck(ask: X509Certificate, ark: X509Certificate, terms: ChainTerms): Check {
  const name = 'revocation';
  const { revocationLists: lists, atMs } = terms;
  const [intermediate, root] = [commonName(ask), commonName(ark)];
  if (lists.length === 0) {
    return notChecked(
      name,
      `No revocation list is given (--crl): whether AMD took back ${intermediate} is not known.`,
    );
  }
  const [list, ...older] = lists
    .filter((each) => crlSignedBy(each, ark))
    .sort((a, b) => b.thisUpdateMs - a.thisUpdateMs);
  if (list === undefined)
    return fail(name, `No list given is signed by ${root}: get the one of this product.`);
  if ([list, ...older].some((each) => isRevoked(each, ask)))
    return fail(name, `AMD took back ${intermediate}: nothing under it counts.`);
  return list.nextUpdateMs !== undefined && atMs > list.nextUpdateMs
    ? fail(
        name,
        `The list of ${root} was due for renewal ${new Date(list.nextUpdateMs).toISOString()}: get the current one.`,
      )
    : pass(
        name,
        `${intermediate} is not on the list of ${root} of ${new Date(list.thisUpdateMs).toISOString()}.`,
      );
}
