// Judges the certificate of an endorsement or attestation key offline: its form, what it may be used for,
// its dates and its chain. That a TPM holds the key is for credential activation to show.
import type { X509Certificate } from 'node:crypto';
import { certificateSignedBy } from '#agent/base/asymmetric.ts';
import { about, fail, notChecked, pass, type Check } from './check.ts';
import type { EkCertificate } from './ek.ts';
import {
  EK_PURPOSE,
  ekClaims,
  readKeyCertificate,
  type KeyCertificate,
  type KeyUsage,
} from './ekClaims.ts';
import { departuresFromDer } from './ekForm.ts';
import { chainTo, isSelfSigned, oneLine } from '#attest/x509/chain.ts';
import { criticalExtensions } from '#attest/x509/extension.ts';

export interface EkJudgement {
  readonly checks: readonly Check[];
  /** Empty unless the chain's signatures verified. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Judges `certificate` under `authorities` as of `atMs` (Unix milliseconds). `unread` counts files among the
 * roots that could not be read: one of them may be what is missing.
 * Errors: EVIDENCE_MALFORMED when its extensions cannot be read.
 */
export function judgeEk(
  certificate: EkCertificate,
  authorities: readonly X509Certificate[],
  atMs: number,
  unread = 0,
): EkJudgement {
  const { x509 } = certificate;
  const said = readKeyCertificate(certificate);
  const chain = withUnread(chainCheck(x509, authorities, atMs), unread);
  const checks = [
    formCheck(certificate),
    ...[
      chain,
      validityCheck(x509, atMs),
      caCheck(x509),
      usageCheck(x509, said),
      keyCheck(x509),
      extensionCheck(certificate),
    ].map((check) => about('instance-identity', check)),
    ...UNCHECKED,
  ];
  return { checks, claims: chain.ceiling === 'contraindicated' ? {} : ekClaims(certificate, said) };
}

function formCheck({ der, trailing }: EkCertificate): Check {
  const name = 'certificate form';
  const departures = departuresFromDer(der);
  const [fill] = trailing;
  const isPadding = (fill === 0x00 || fill === 0xff) && trailing.every((byte) => byte === fill);
  const after =
    trailing.length === 0
      ? ''
      : ` ${trailing.length} bytes follow it${isPadding ? `, padding of ${fill === 0 ? '00' : 'ff'}` : ''}; they were set aside.`;
  if (departures.length > 0) {
    const text = `${der.length} bytes that are not quite DER: ${departures.join(', ')}. They were judged as they are; the maker of the TPM can correct it, nobody else.${after}`;
    return fail(name, text, 'warning');
  }
  if (trailing.length > 0 && !isPadding) {
    const text = `${der.length} bytes of DER.${after} No padding looks like that: read the NV index again.`;
    return fail(name, text, 'warning');
  }
  return pass(name, `${der.length} bytes of DER.${after}`);
}

/**
 * Signatures up to a root. A certificate out of date is judged as of the nearest day of its own validity,
 * so that an old one and a forged one are told apart; `validityCheck` speaks of the date.
 */
function chainCheck(
  x509: X509Certificate,
  authorities: readonly X509Certificate[],
  atMs: number,
): Check {
  const name = 'chain';
  if (isSelfSigned(x509)) {
    const text = 'The certificate signs itself: nobody vouches for the key. Use the maker’s.';
    return fail(name, text);
  }
  const [firstMs, lastMs] = [x509.validFromDate.getTime(), x509.validToDate.getTime()];
  const nearestMs = Math.min(Math.max(atMs, firstMs), lastMs);
  const chain = chainTo(x509, authorities, nearestMs);
  if (chain.trusted) {
    const issuers = chain.issuers.map(({ subject }) => oneLine(subject));
    return pass(name, `Signed by ${issuers.join(' < ')}, which is among the roots.`);
  }
  const top = rootless(x509, authorities, nearestMs);
  if (top !== undefined) {
    const text = `Signed under ${oneLine(top.subject)}, which is among the authorities, but its root is not: ${chain.why}. Add the root.`;
    return fail(name, text, 'warning');
  }
  if (authorities.some((ca) => x509.checkIssued(ca))) return fail(name, `${sentence(chain.why)}.`);
  const text = `${sentence(chain.why)}. Add the roots and intermediates of this TPM’s maker, if you trust it.`;
  return fail(name, text);
}

function withUnread(chain: Check, unread: number): Check {
  if (chain.result === 'pass' || unread === 0) return chain;
  const files = unread === 1 ? '1 file there was' : `${unread} files there were`;
  return { ...chain, text: `${chain.text} ${files} not read: tidelock roots check says why.` };
}

/**
 * The authority above `x509` whose issuer is not among the authorities, not even by name. Makers publish
 * intermediates without their root, and people trust just these (openssl -partial_chain). An issuer that is
 * there and does not vouch for it is another matter: that chain is refused.
 */
function rootless(
  x509: X509Certificate,
  authorities: readonly X509Certificate[],
  atMs: number,
  tried = new Set<X509Certificate>(),
): X509Certificate | undefined {
  for (const ca of authorities) {
    if (tried.has(ca) || !vouches(ca, x509, atMs)) continue;
    tried.add(ca);
    const isTop = authorities.every(({ subject }) => subject !== ca.issuer);
    const found = isTop ? ca : rootless(ca, authorities, atMs, tried);
    if (found !== undefined) return found;
  }
  return undefined;
}

const vouches = (ca: X509Certificate, x509: X509Certificate, atMs: number): boolean =>
  ca.ca &&
  x509.checkIssued(ca) &&
  certificateSignedBy(x509, ca) &&
  atMs >= ca.validFromDate.getTime() &&
  atMs <= ca.validToDate.getTime();

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function validityCheck(x509: X509Certificate, atMs: number): Check {
  const name = 'validity';
  const { validFromDate, validToDate } = x509;
  const span = `${validFromDate.toISOString()} to ${validToDate.toISOString()}`;
  if (atMs < validFromDate.getTime()) {
    return fail(
      name,
      `Valid from ${span}, not yet as of ${new Date(atMs).toISOString()}. Look at the clock.`,
    );
  }
  if (atMs > validToDate.getTime()) {
    return fail(
      name,
      `Valid from ${span}, expired as of ${new Date(atMs).toISOString()}. Judge an archive with --at; otherwise get a new certificate from the maker.`,
    );
  }
  return pass(name, `Valid from ${span}.`);
}

function caCheck({ ca }: X509Certificate): Check {
  const name = 'CA flag';
  return ca
    ? fail(name, 'The certificate is of an authority: its key signs certificates and is no TPM’s.')
    : pass(name, 'The key may sign no certificates.');
}

/** What the usage of an endorsement key must hold (TCG EK Credential Profile 2.5, 3.5.11). */
const EK_USAGE: Readonly<Record<string, KeyUsage>> = { rsa: 'keyEncipherment', ec: 'keyAgreement' };

function usageCheck(x509: X509Certificate, said: KeyCertificate): Check {
  const name = 'key usage';
  const { role, keyUsage, extendedKeyUsage, specification, tpm } = said;
  const stated = [...(keyUsage ?? []), ...(extendedKeyUsage ?? [])].join(', ');
  if (role === undefined && stated === '') {
    return specification === undefined && Object.keys(tpm).length === 0
      ? fail(name, 'The certificate speaks of no TPM: neither its use nor its names do.', 'none')
      : fail(name, 'The certificate does not say what its key is for.', 'warning');
  }
  if (role === undefined) {
    return fail(name, `The certificate is for ${stated}: for no key of a TPM (2.23.133.8.1).`);
  }
  const known = `For the ${ROLES[role]} of a TPM: ${stated}.`;
  if (role === 'AK') {
    const text = extendedKeyUsage?.includes(EK_PURPOSE)
      ? `${known} Its purpose is that of an endorsement key, which could not sign: its usage decides.`
      : known;
    return pass(name, text);
  }
  const needed = EK_USAGE[x509.publicKey.asymmetricKeyType ?? ''];
  return keyUsage === undefined || (needed !== undefined && keyUsage.includes(needed))
    ? pass(name, known)
    : fail(name, `${known} A key of its type is used otherwise: the maker erred.`, 'warning');
}

const ROLES = { EK: 'endorsement key', AK: 'attestation key' } as const;

const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const LEAST_RSA_BITS = 2048;

function keyCheck({ publicKey, signatureAlgorithm = 'unknown' }: X509Certificate): Check {
  const name = 'key strength';
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  const type =
    `${publicKey.asymmetricKeyType ?? 'unknown'} ${modulusLength ?? namedCurve ?? ''}`.trim();
  const strong =
    publicKey.asymmetricKeyType === 'rsa'
      ? (modulusLength ?? 0) >= LEAST_RSA_BITS
      : CURVES.has(namedCurve);
  if (!strong) {
    return fail(
      name,
      `The key is ${type}; at least RSA 2048 or a NIST curve of 256 bits is wanted.`,
    );
  }
  if (/md5|sha-?1(?!\d)/i.test(signatureAlgorithm)) {
    const text = `The certificate is signed with ${signatureAlgorithm}, whose digest can be forged.`;
    return fail(name, text, 'warning');
  }
  return pass(name, `${type}, signed with ${signatureAlgorithm}.`);
}

/** Those that this file, ekClaims.ts or OpenSSL read; an unknown critical one may change everything. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  '2.5.29.9', // subjectDirectoryAttributes
  '2.5.29.14', // subjectKeyIdentifier
  '2.5.29.15', // keyUsage
  '2.5.29.17', // subjectAltName
  '2.5.29.19', // basicConstraints
  '2.5.29.31', // cRLDistributionPoints
  '2.5.29.32', // certificatePolicies
  '2.5.29.35', // authorityKeyIdentifier
  '2.5.29.37', // extKeyUsage
]);

function extensionCheck({ der }: EkCertificate): Check {
  const name = 'critical extensions';
  const unknown = criticalExtensions(der).filter((id) => !KNOWN_EXTENSIONS.has(id));
  if (unknown.length === 0) return pass(name, 'All are understood.');
  const text = `${unknown.join(', ')} must not be ignored and is not understood. This version of tidelock cannot judge the certificate.`;
  return fail(name, text);
}

const UNCHECKED: readonly Check[] = [
  notChecked(
    'residence',
    'That a TPM holds this key only credential activation shows: tidelock enroll does it.',
  ),
  notChecked('revocation', 'No revocation list is read; makers of TPMs hardly publish any.'),
];
