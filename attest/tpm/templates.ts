// The endorsement keys that manufacturers certify (TCG EK Credential Profile 2.5, annex B): where the
// certificate lies in NV and what MakeCredential must know that a certificate does not say.
import type { KeyObject } from 'node:crypto';
import type { EkKey } from '#attest/credential.ts';
import { hashByName, type HashName } from './algorithms.ts';

export interface EkTemplate {
  readonly name: 'RSA 2048' | 'ECC P-256' | 'ECC P-384';
  /** NV index of the certificate. */
  readonly nvIndex: number;
  readonly nameAlg: HashName;
  readonly aesBits: number;
}

/** In the order in which a certificate is looked for: L-1, L-2 and H-3 of the profile. */
export const EK_TEMPLATES: readonly EkTemplate[] = [
  { name: 'RSA 2048', nvIndex: 0x01c0_0002, nameAlg: 'sha256', aesBits: 128 },
  { name: 'ECC P-256', nvIndex: 0x01c0_000a, nameAlg: 'sha256', aesBits: 128 },
  { name: 'ECC P-384', nvIndex: 0x01c0_0016, nameAlg: 'sha384', aesBits: 256 },
];

const CURVE_NAMES: Readonly<Record<string, string>> = {
  prime256v1: 'ECC P-256',
  secp384r1: 'ECC P-384',
};

/** The certified public key as MakeCredential needs it; undefined when no template has such a key. */
export function ekKeyOf(key: KeyObject): EkKey | undefined {
  const { modulusLength, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const name = key.asymmetricKeyType === 'rsa' ? `RSA ${modulusLength}` : CURVE_NAMES[namedCurve];
  const template = EK_TEMPLATES.find((candidate) => candidate.name === name);
  return template && { key, nameAlg: hashByName(template.nameAlg), aesBits: template.aesBits };
}
