// Makes Nitro attestation documents with keys and a root of its own, for what the real ones cannot show:
// other registers, fields of other sizes, chains out of order. Nothing of the product imports it.
import { sign } from 'node:crypto';
import { sha256, type Bytes } from '#agent/base/bytes.ts';
import {
  makeCertificate,
  makeKeys,
  type CertificateSpec,
  type MadeCertificate,
} from './certificate.ts';
import { writeCbor, type Writable } from './cborWrite.ts';

/** When the documents say that they were made; the leaf lives from a second before for three hours. */
export const MADE_MS = Date.UTC(2026, 0, 31, 12);
export const LEAF_LIFE_MS = 3 * 3_600_000;

const ca = (cn: string, more: Partial<CertificateSpec> = {}): MadeCertificate =>
  makeCertificate({ subject: { CN: cn }, keys: makeKeys('P-384'), ca: true, ...more });

export const nitroRoot = ca('root');
export const nitroZone = ca('zone', { issuer: nitroRoot });
export const nitroInstance = ca('instance', { issuer: nitroZone });
export const nitroLeaf = makeCertificate({
  subject: { CN: 'i-0.enc0' },
  keys: makeKeys('P-384'),
  issuer: nitroInstance,
  validFromMs: MADE_MS - 1000,
  validToMs: MADE_MS - 1000 + LEAF_LIFE_MS,
});

/** SHA-256 of the root, as `--root-digest` takes it. */
export const nitroRootDigest = sha256(nitroRoot.der);

/** The fields of a good document. */
export const nitroFields = (): Map<string, Writable> =>
  new Map<string, Writable>([
    ['module_id', 'i-0.enc0'],
    ['digest', 'SHA384'],
    ['timestamp', MADE_MS],
    ['pcrs', new Map(Array.from({ length: 5 }, (_, i) => [i, Buffer.alloc(48, i + 1)]))],
    ['certificate', nitroLeaf.der],
    ['cabundle', [nitroRoot.der, nitroZone.der, nitroInstance.der]],
    ['public_key', null],
    ['user_data', Buffer.from('user')],
    ['nonce', Buffer.from('nonce')],
  ]);

const ES384_HEADER = new Map([[1, -35]]);

/** A signed document with `change` instead of a good one's fields; undefined leaves a field out. */
export function nitroDocument(
  change: Readonly<Record<string, Writable | undefined>> = {},
  signer: MadeCertificate = nitroLeaf,
  header: Writable = ES384_HEADER,
): Buffer {
  const fields = nitroFields();
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) fields.delete(name);
    else fields.set(name, value);
  }
  return signedCose(writeCbor(fields), signer, writeCbor(header));
}

/** An untagged COSE_Sign1 of ES384 over `payload`. */
export function signedCose(payload: Bytes, signer: MadeCertificate, header: Bytes): Buffer {
  const message = writeCbor(['Signature1', header, Buffer.alloc(0), payload]);
  const key = { key: signer.keys.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return writeCbor([header, new Map(), payload, sign('sha384', message, key)]);
}
