// What an endorsement or attestation key certificate says of its TPM and, on Google Cloud, of its virtual
// machine. It only reads; whether somebody trusted signed it is for the judge to find out first.
import type { X509Certificate } from 'node:crypto';
import { hex } from '#agent/base/bytes.ts';
import { malformed } from './cursor.ts';
import { derChildren, derElement, type DerElement } from './der.ts';
import type { EkCertificate } from './ek.ts';
import { oneLine } from '#attest/x509/chain.ts';
import { extensionsOf, objectIdentifier } from '#attest/x509/extension.ts';

const WHAT = 'EK certificate';

const KEY_USAGE = '2.5.29.15';
const SUBJECT_ALT_NAME = '2.5.29.17';
const SUBJECT_DIRECTORY_ATTRIBUTES = '2.5.29.9';
/** tcg-kp-EKCertificate and tcg-kp-AIKCertificate (TCG EK Credential Profile 2.5, 3.5.16). */
export const EK_PURPOSE = '2.23.133.8.1';
const AK_PURPOSE = '2.23.133.8.3';
/** tcg-at-tpmSpecification (the same, 3.1.3). */
const TPM_SPECIFICATION = '2.23.133.2.16';
/** Instance information of Google Compute Engine (go-tpm-tools, server/instance_info.go). */
const GCE_INSTANCE = '1.3.6.1.4.1.11129.2.1.21';

/** tcg-at-tpmManufacturer, tpmModel and tpmVersion (the same, 3.1.2). */
const TPM_ATTRIBUTES: ReadonlyMap<string, keyof TpmName> = new Map([
  ['2.23.133.2.1', 'manufacturer'],
  ['2.23.133.2.2', 'model'],
  ['2.23.133.2.3', 'version'],
]);

/** RFC 5280 4.2.1.3, bit 0 first. */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

interface TpmName {
  /** As written: `id:53544D20`. */
  readonly manufacturer?: string;
  readonly model?: string;
  readonly version?: string;
}

interface GceInstance {
  readonly zone: string;
  readonly project_id: string;
  /** Decimal: it may be over 2^53. */
  readonly project_number: string;
  readonly instance_name: string;
  readonly instance_id: string;
}

export interface KeyCertificate {
  /** An endorsement key decrypts, an attestation key signs; undefined when neither is said. */
  readonly role: 'EK' | 'AK' | undefined;
  /** undefined when the maker restricted nothing. */
  readonly keyUsage: readonly KeyUsage[] | undefined;
  /** Dotted object identifiers; undefined when the maker set none. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly tpm: TpmName;
  readonly specification:
    | { readonly family: string; readonly level: number; readonly revision: number }
    | undefined;
  readonly gceInstance: GceInstance | undefined;
}

/** Reads the extensions of a certificate. Errors: EVIDENCE_MALFORMED. */
export function readKeyCertificate({ der, x509 }: EkCertificate): KeyCertificate {
  const extensions = extensionsOf(der);
  const keyUsage = mapped(extensions.get(KEY_USAGE), keyUsagesOf);
  const extendedKeyUsage = x509.keyUsage as readonly string[] | undefined; // absent where none is set
  return {
    role: roleOf(keyUsage, extendedKeyUsage),
    keyUsage,
    extendedKeyUsage,
    tpm: mapped(extensions.get(SUBJECT_ALT_NAME), tpmNameOf) ?? {},
    specification: mapped(extensions.get(SUBJECT_DIRECTORY_ATTRIBUTES), specificationOf),
    gceInstance: mapped(extensions.get(GCE_INSTANCE), gceInstanceOf),
  };
}

/** Claims as JSON. The names of the machine are those of go-tpm-tools' GCEInstanceInfo. */
export function ekClaims(
  { x509, digest }: EkCertificate,
  certificate: KeyCertificate,
): Readonly<Record<string, unknown>> {
  const { role, keyUsage, extendedKeyUsage, tpm, specification, gceInstance } = certificate;
  const { manufacturer } = tpm;
  const vendor = manufacturer === undefined ? {} : { vendor: vendorName(manufacturer) };
  return {
    role: role ?? null,
    subject: oneLine(x509.subject),
    issuer: oneLine(x509.issuer),
    serial: x509.serialNumber,
    validity: {
      not_before: x509.validFromDate.toISOString(),
      not_after: x509.validToDate.toISOString(),
    },
    public_key: publicKeyClaim(x509),
    [role === 'EK' ? 'ek_digest' : 'key_digest']: digest,
    ...(Object.keys(tpm).length > 0 ? { tpm: { ...tpm, ...vendor } } : {}),
    ...(specification === undefined ? {} : { tpm_specification: specification }),
    ...(keyUsage === undefined ? {} : { key_usage: keyUsage }),
    ...(extendedKeyUsage === undefined ? {} : { extended_key_usage: extendedKeyUsage }),
    ...(gceInstance === undefined ? {} : { gce_instance: gceInstance }),
  };
}

/** `{type: 'rsa', bits: 2048}` or `{type: 'ec', curve: 'prime256v1'}`. */
export function publicKeyClaim({ publicKey }: X509Certificate): Readonly<Record<string, unknown>> {
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  const type = publicKey.asymmetricKeyType ?? 'unknown';
  if (modulusLength !== undefined) return { type, bits: modulusLength };
  return namedCurve === undefined ? { type } : { type, curve: namedCurve };
}

/** Usages of a key that decrypts; a restricted decryption key cannot sign (TPM 2.0 Part 1 27.2). */
const DECRYPTION: readonly KeyUsage[] = ['keyEncipherment', 'keyAgreement', 'dataEncipherment'];

/** By usage before purpose: Google gave its attestation keys the purpose of endorsement keys. */
function roleOf(
  usages: readonly KeyUsage[] | undefined,
  purposes: readonly string[] | undefined,
): KeyCertificate['role'] {
  if (purposes !== undefined && !purposes.some((id) => id === EK_PURPOSE || id === AK_PURPOSE)) {
    return undefined; // for something else
  }
  if (usages?.some((usage) => DECRYPTION.includes(usage))) return 'EK';
  if (usages?.includes('digitalSignature')) return 'AK';
  if (usages !== undefined || purposes === undefined) return undefined;
  return purposes.includes(EK_PURPOSE) ? 'EK' : 'AK';
}

function keyUsagesOf({ content }: DerElement): KeyUsage[] {
  const bits = content.subarray(1); // the first octet counts unused bits
  return KEY_USAGES.filter((_, bit) => ((bits[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
}

const DIRECTORY_NAME = 0xa4;

/** The directoryName of a SubjectAltName. Makers put the three into one SET or into three. */
function tpmNameOf(names: DerElement): TpmName {
  const found: Partial<Record<keyof TpmName, string>> = {};
  for (const name of derChildren(names, WHAT).filter(({ tag }) => tag === DIRECTORY_NAME)) {
    const sets = derChildren(name, WHAT).flatMap((rdns) => derChildren(rdns, WHAT));
    for (const attribute of sets.flatMap((set) => derChildren(set, WHAT))) {
      const [id, value] = derChildren(attribute, WHAT);
      const field = id && TPM_ATTRIBUTES.get(objectIdentifier(id));
      if (field !== undefined) found[field] = textOf(value);
    }
  }
  return found;
}

/** TPMSpecification ::= SEQUENCE {family UTF8String, level INTEGER, revision INTEGER}. */
function specificationOf(attributes: DerElement): KeyCertificate['specification'] {
  for (const attribute of derChildren(attributes, WHAT)) {
    const [id, values] = derChildren(attribute, WHAT);
    if (id === undefined || values === undefined) continue;
    if (objectIdentifier(id) !== TPM_SPECIFICATION) continue;
    const [specification] = derChildren(values, WHAT);
    const [family, level, revision] =
      specification === undefined ? [] : derChildren(specification, WHAT);
    return {
      family: textOf(family),
      level: Number(integerOf(level)),
      revision: Number(integerOf(revision)),
    };
  }
  return undefined;
}

/** SEQUENCE {zone, projectNumber, projectId, instanceId, instanceName, [0] security properties}. */
function gceInstanceOf(sequence: DerElement): GceInstance {
  const [zone, projectNumber, projectId, instanceId, name] = derChildren(sequence, WHAT);
  return {
    zone: textOf(zone),
    project_id: textOf(projectId),
    project_number: integerOf(projectNumber).toString(),
    instance_name: textOf(name),
    instance_id: integerOf(instanceId).toString(),
  };
}

const mapped = <T>(value: Buffer | undefined, read: (element: DerElement) => T): T | undefined =>
  value === undefined ? undefined : read(derElement(value, WHAT));

/** UTF8String, NumericString, PrintableString, TeletexString, IA5String and VisibleString. */
const TEXT_TAGS: ReadonlySet<number> = new Set([0x0c, 0x12, 0x13, 0x14, 0x16, 0x1a]);
const MAX_TEXT_BYTES = 256;

/** Text; of other types `#` and the hex of their encoding (RFC 4514 2.4). */
function textOf(element: DerElement | undefined): string {
  if (element === undefined || element.raw.length > MAX_TEXT_BYTES) {
    throw malformed(WHAT, 'a name that is missing or too long');
  }
  return TEXT_TAGS.has(element.tag) ? element.content.toString('utf8') : `#${hex(element.raw)}`;
}

const INTEGER = 0x02;

function integerOf(element: DerElement | undefined): bigint {
  const bytes = element?.content;
  if (element?.tag === INTEGER && bytes && bytes.length > 0 && bytes.length <= 9) {
    return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  }
  throw malformed(WHAT, 'a number that is none');
}

/** TCG TPM Vendor ID Registry: four ASCII characters, in hex after `id:`. */
function vendorName(manufacturer: string): string | null {
  const [, digits] = /^id:([0-9A-Fa-f]{8})$/.exec(manufacturer) ?? [];
  const name = digits === undefined ? '' : Buffer.from(digits, 'hex').toString('latin1');
  const text = name.replaceAll('\0', '').trimEnd();
  return /^[\x20-\x7e]+$/.test(text) ? text : null;
}
