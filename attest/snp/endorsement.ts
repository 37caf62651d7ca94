// Whose word a report is: the certificate of the key that signed it, and AMD's chain above that
// certificate, VEK to ASK (or ASVK) to ARK (AMD 57230 2). It judges the key; the report is for verify.ts.
import type { X509Certificate } from 'node:crypto';
import { certificateSignedBy, verifyJwa } from '#agent/base/asymmetric.ts';
import { hex, sha256 } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { isSelfSigned, oneLine, outOfDate } from '#attest/x509/chain.ts';
import { whereToGetVek } from './kds.ts';
import { AMD_ROOTS } from './product.ts';
import type { SnpReport } from './report.ts';
import { readVek, vekKindOf, type Vek } from './vek.ts';

export interface EndorsementTerms {
  readonly certificates: readonly X509Certificate[];
  /** SHA-256 in hex of root certificates that are trusted besides AMD's own. */
  readonly roots: readonly string[];
  /** Unix milliseconds as of which certificates must be valid. */
  readonly atMs: number;
}

export interface Endorsement {
  readonly checks: readonly Check[];
  /** What the certificate of the signing key says; undefined when there is none to speak of. */
  readonly vek: Vek | undefined;
  /** True when the chain holds up to a trusted root and the key under it signed the report. */
  readonly authentic: boolean;
}

const KEY = 'endorsement key';
const CHAIN = 'certificate chain';
const ROOT = 'AMD root';

/** Judges the key that signed `report` by the certificates given. Never throws. */
export function judgeEndorsement(report: SnpReport, terms: EndorsementTerms): Endorsement {
  const found = signingCertificate(report, terms.certificates);
  if ('check' in found)
    return { checks: [hardware(found.check)], vek: undefined, authentic: false };
  const { certificate, vek } = found;
  const chain = chainChecks(certificate, vek, terms);
  const signature = signatureCheck(report, certificate, vek);
  const held = [...chain, signature].every(({ result }) => result === 'pass');
  const key = pass(
    KEY,
    `The ${vek.kind} of a ${vek.productName} processor${vek.cspId === undefined ? '' : `, given to ${vek.cspId}`}.`,
  );
  return { checks: [key, ...chain, REVOCATION, signature].map(hardware), vek, authentic: held };
}

const hardware = (check: Check): Check => about('hardware', check);

const REVOCATION = notChecked(
  'revocation',
  'No revocation list is read: whether AMD took back the intermediate key is not known.',
);

type Found =
  | { readonly certificate: X509Certificate; readonly vek: Vek }
  | { readonly check: Check };

function signingCertificate(report: SnpReport, certificates: readonly X509Certificate[]): Found {
  const { signingKey } = report;
  if (signingKey === 'none' || signingKey === 'reserved') {
    return {
      check: fail(
        KEY,
        'The report says that no VCEK or VLEK signed it: anybody could have written it.',
      ),
    };
  }
  const leaves = certificates.filter(({ ca }) => !ca);
  if (leaves.length === 0) {
    const text = `No certificate of the ${signingKey} that signed the report is given (--vek). ${whereToGetVek(report)}`;
    return { check: notChecked(KEY, text, 'none') };
  }
  const fitting = leaves.filter((leaf) => vekKindOf(leaf) === signingKey);
  const certificate = fitting.find((leaf) => signed(report, leaf)) ?? fitting[0];
  if (certificate === undefined) {
    const names = leaves.map(({ subject }) => oneLine(subject)).join('; ');
    return {
      check: fail(
        KEY,
        `The report is signed by a ${signingKey}; the certificate given is of "${names}".`,
      ),
    };
  }
  const vek = readVek(certificate, signingKey);
  return 'why' in vek ? { check: fail(KEY, `${vek.why}.`) } : { certificate, vek };
}

const signed = (
  { signed: message, signature }: SnpReport,
  { publicKey }: X509Certificate,
): boolean => signature !== undefined && verifyJwa(publicKey, 'ES384', message, signature);

function signatureCheck(report: SnpReport, certificate: X509Certificate, { kind }: Vek): Check {
  return signed(report, certificate)
    ? pass('signature', `The ${kind} signed these 672 bytes (ECDSA P-384, SHA-384).`)
    : fail(
        'signature',
        `The signature does not verify under the ${kind}: the report was altered, or the certificate is of another key or TCB.`,
      );
}

/** Only checks of the chain; all of them pass when it can be relied on. */
function chainChecks(vekCertificate: X509Certificate, vek: Vek, terms: EndorsementTerms): Check[] {
  const authorities = terms.certificates.filter(({ ca }) => ca);
  const ask = issuerOf(vekCertificate, authorities);
  if ('check' in ask) return [ask.check];
  const ark = issuerOf(ask.issuer, authorities);
  if ('check' in ark) return [ark.check];
  const path = [vekCertificate, ask.issuer, ark.issuer];
  const why = path.map((each) => outOfDate(each, terms.atMs)).find((each) => each !== undefined);
  const names = path
    .slice(1)
    .map(({ subject }) => `"${oneLine(subject)}"`)
    .join(', then ');
  return [
    pass(CHAIN, `Certified by ${names}.`),
    rootCheck(ark.issuer, vek, terms.roots),
    why === undefined
      ? pass('validity', 'Every certificate of the chain is valid at the time of judgement.')
      : fail(
          'validity',
          `At ${new Date(terms.atMs).toISOString()} ${why}. Get the current certificate, or judge an archived report as of its time with --at.`,
        ),
  ];
}

function issuerOf(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
): { readonly issuer: X509Certificate } | { readonly check: Check } {
  const others = authorities.filter((each) => !each.raw.equals(certificate.raw));
  const named = others.filter((each) => certificate.checkIssued(each));
  const issuer = named.find((each) => certificateSignedBy(certificate, each));
  if (issuer !== undefined) return { issuer };
  const [subject, wanted] = [oneLine(certificate.subject), oneLine(certificate.issuer)];
  if (others.length === 0) {
    const text = `"${wanted}", which issued "${subject}", is not given: add AMD’s cert_chain (--chain).`;
    return { check: notChecked(CHAIN, text, 'none') };
  }
  const text =
    named.length > 0
      ? `The signature of "${wanted}" on "${subject}" does not verify.`
      : `"${subject}" was issued by "${wanted}"; given are ${others.map((each) => `"${oneLine(each.subject)}"`).join(', ')}: the wrong root or product.`;
  return { check: fail(CHAIN, text) };
}

function rootCheck(root: X509Certificate, vek: Vek, trusted: readonly string[]): Check {
  const digest = hex(sha256(root.raw));
  const product = AMD_ROOTS[digest];
  if (!isSelfSigned(root))
    return fail(ROOT, `"${oneLine(root.subject)}" is no root: it is not self-signed.`);
  if (trusted.includes(digest))
    return pass(ROOT, `The root is one that the policy trusts: ${digest}.`);
  if (product === undefined) {
    return fail(
      ROOT,
      `The root "${oneLine(root.subject)}", SHA-256 ${digest}, is none of AMD’s: it could be anybody’s. A root of your own goes into the policy, as roots.`,
    );
  }
  return product === vek.product
    ? pass(ROOT, `The root is AMD’s own for ${product}.`)
    : fail(ROOT, `The root is AMD’s for ${product}, the key is of a ${vek.productName} processor.`);
}
