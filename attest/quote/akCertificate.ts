// Judges the certificate of an attestation key, as Google Cloud issues them for its virtual TPMs: that it
// is of the key which signed the quote, and that a trusted authority issued it.
import type { X509Certificate } from 'node:crypto';
import { about, fail, pass, type Check } from '#attest/check.ts';
import type { EkCertificate } from '#attest/ek.ts';
import { judgeEk } from '#attest/ekJudge.ts';
import type { AttestationKey } from './key.ts';

export interface AkCertificate {
  readonly certificate: EkCertificate;
  readonly authorities: readonly X509Certificate[];
  /** Unix milliseconds. */
  readonly atMs: number;
}

export interface AkCertificateAppraisal {
  readonly checks: readonly Check[];
  /** Empty unless the chain holds and the certificate is of the signing key. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Errors: EVIDENCE_MALFORMED when its extensions cannot be read. */
export function judgeAkCertificate(
  { certificate, authorities, atMs }: AkCertificate,
  signer: AttestationKey,
): AkCertificateAppraisal {
  const judged = judgeEk(certificate, authorities, atMs);
  const own = ownCheck(certificate, signer, judged.claims['role']);
  const checks = judged.checks.map((check) => ({ ...check, name: `AK ${check.name}` }));
  return {
    checks: [own, ...checks],
    claims: own.result === 'pass' ? judged.claims : {},
  };
}

/** `role` is absent where the chain does not hold, which has a check of its own. */
function ownCheck({ x509 }: EkCertificate, { verifying }: AttestationKey, role: unknown): Check {
  const name = 'AK certificate';
  const key = keyOf(x509);
  if (key?.equals(verifying.key) !== true) {
    const text = 'It is of another key than that which signed the quote. Give that of this key.';
    return about('instance-identity', fail(name, text));
  }
  return about(
    'instance-identity',
    role === undefined || role === 'AK'
      ? pass(name, 'It is of the key that signed the quote.')
      : fail(
          name,
          'It is not for an attestation key: its authority did not mean it to sign quotes.',
        ),
  );
}

/** OpenSSL reads a certificate without reading the key in it; undefined when it cannot. */
function keyOf(certificate: X509Certificate): X509Certificate['publicKey'] | undefined {
  try {
    return certificate.publicKey;
  } catch {
    return undefined; // then it is no key that signed anything
  }
}
