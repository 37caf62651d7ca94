// Makes X.509 certificates and revocation lists with keys of its own (RFC 5280), for what real samples
// cannot show: expired, revoked, of another root, of another chip. Nothing of the product imports it.
import { constants, generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto';
import type { Bytes } from '#agent/base/bytes.ts';
import {
  der,
  derBits,
  derBoolean,
  derContext,
  derInteger,
  derOctets,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8,
} from './derWrite.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export type KeyKind = 'P-256' | 'P-384' | 'RSA';

/** A new key pair; RSA has 2,048 bits. */
export const makeKeys = (kind: KeyKind): KeyPair =>
  kind === 'RSA'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 })
    : generateKeyPairSync('ec', { namedCurve: kind });

const NAME_OIDS = {
  C: '2.5.4.6',
  ST: '2.5.4.8',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  CN: '2.5.4.3',
} as const;

/** Attributes of a distinguished name, in the order given. */
export type Name = Readonly<Partial<Record<keyof typeof NAME_OIDS, string>>>;

export interface CertificateExtension {
  /** Dotted object identifier. */
  readonly id: string;
  /** What goes into the OCTET STRING of extnValue. */
  readonly value: Bytes;
  readonly critical?: boolean;
}

/** Who signs: a certificate made here with its keys. */
export interface Issuer {
  readonly subject: Name;
  readonly keys: KeyPair;
}

export interface CertificateSpec {
  readonly subject: Name;
  readonly keys: KeyPair;
  /** Absent: self-signed. */
  readonly issuer?: Issuer;
  readonly serial?: number | bigint;
  /** Unix milliseconds; 2020 to 2049 unless told. */
  readonly validFromMs?: number;
  readonly validToMs?: number;
  /** Adds basicConstraints and the key usages of a CA. */
  readonly ca?: boolean;
  readonly extensions?: readonly CertificateExtension[];
}

export interface MadeCertificate extends Issuer {
  readonly der: Buffer;
  readonly pem: string;
  readonly x509: X509Certificate;
}

/** Signed as the issuer's key asks: ECDSA with SHA-256 or SHA-384, or RSASSA-PSS with SHA-384. */
export function makeCertificate(spec: CertificateSpec): MadeCertificate {
  const { subject, keys, issuer = { subject, keys }, extensions = [] } = spec;
  const all = [...(spec.ca === true ? CA_EXTENSIONS : []), ...extensions].map(extension);
  const tbs = derSequence(
    derContext(0, derInteger(2)),
    derInteger(spec.serial ?? 1),
    signatureAlgorithm(issuer.keys.privateKey),
    distinguishedName(issuer.subject),
    derSequence(
      derTime(spec.validFromMs ?? Date.UTC(2020, 0, 1)),
      derTime(spec.validToMs ?? Date.UTC(2049, 0, 1)),
    ),
    distinguishedName(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...(all.length > 0 ? [derContext(3, derSequence(...all))] : []),
  );
  const bytes = signed(tbs, issuer.keys.privateKey);
  return {
    subject,
    keys,
    der: bytes,
    pem: pemOf('CERTIFICATE', bytes),
    x509: new X509Certificate(bytes),
  };
}

export interface RevocationListSpec {
  readonly issuer: Issuer;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** Serial numbers. */
  readonly revoked: readonly (number | bigint)[];
}

/** The DER of a version 2 certificate revocation list (RFC 5280 5.1). */
export function makeRevocationList({ issuer, revoked, ...dates }: RevocationListSpec): Buffer {
  const thisUpdate = derTime(dates.thisUpdateMs);
  const entries = revoked.map((serial) => derSequence(derInteger(serial), thisUpdate));
  const tbs = derSequence(
    derInteger(1),
    signatureAlgorithm(issuer.keys.privateKey),
    distinguishedName(issuer.subject),
    thisUpdate,
    derTime(dates.nextUpdateMs),
    ...(entries.length > 0 ? [derSequence(...entries)] : []),
  );
  return signed(tbs, issuer.keys.privateKey);
}

/** An ECDSA signature as raw r || s (IEEE P1363), hashed as the curve asks. */
export const ecdsaSignature = (message: Bytes, key: KeyObject): Buffer =>
  sign(hashFor(key), message, { key, dsaEncoding: 'ieee-p1363' });

/** RFC 7468. */
export const pemOf = (label: string, bytes: Bytes): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(bytes)
    .toString('base64')
    .replaceAll(/.{64}(?!$)/g, '$&\n')}\n-----END ${label}-----\n`;

const CA_EXTENSIONS: readonly CertificateExtension[] = [
  { id: '2.5.29.19', value: derSequence(derBoolean(true)), critical: true },
  { id: '2.5.29.15', value: der(0x03, Uint8Array.of(1, 0x06)), critical: true }, // keyCertSign, cRLSign
];

const extension = ({ id, value, critical = false }: CertificateExtension): Buffer =>
  derSequence(derOid(id), ...(critical ? [derBoolean(true)] : []), derOctets(value));

function distinguishedName(name: Name): Buffer {
  const attributes = Object.entries(name) as [keyof typeof NAME_OIDS, string][];
  return derSequence(
    ...attributes.map(([type, text]) =>
      derSet(derSequence(derOid(NAME_OIDS[type]), derUtf8(text))),
    ),
  );
}

const signed = (tbs: Bytes, key: KeyObject): Buffer =>
  derSequence(tbs, signatureAlgorithm(key), derBits(signatureOf(tbs, key)));

const curveOf = (key: KeyObject): string => key.asymmetricKeyDetails?.namedCurve ?? '';

function signatureOf(tbs: Bytes, key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa'
    ? sign('sha384', tbs, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 })
    : sign(hashFor(key), tbs, key);
}

const hashFor = (key: KeyObject): string => (curveOf(key) === 'secp384r1' ? 'sha384' : 'sha256');

const SHA384 = derSequence(derOid('2.16.840.1.101.3.4.2.2'), der(0x05));

/** RFC 4055 3.1: SHA-384 for the message and for MGF1, a salt of 48 bytes. */
const PSS_SHA384 = derSequence(
  derOid('1.2.840.113549.1.1.10'),
  derSequence(
    derContext(0, SHA384),
    derContext(1, derSequence(derOid('1.2.840.113549.1.1.8'), SHA384)),
    derContext(2, derInteger(48)),
  ),
);

const ECDSA = { secp384r1: '1.2.840.10045.4.3.3', prime256v1: '1.2.840.10045.4.3.2' } as const;

function signatureAlgorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') return PSS_SHA384;
  return derSequence(derOid(curveOf(key) === 'secp384r1' ? ECDSA.secp384r1 : ECDSA.prime256v1));
}
