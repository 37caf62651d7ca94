import { describe, expect, it } from 'vitest';
import type { Check } from '#attest/check.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import { certificatesOf } from '#attest/roots/read.ts';
import { makeCertificate, makeKeys, type CertificateSpec } from '#attest/testdata/certificate.ts';
import { makeAk } from '#attest/testdata/quote.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { judgeAkCertificate } from './akCertificate.ts';
import { readAttestationKey } from './key.ts';

const root = makeCertificate({ subject: { CN: 'root' }, keys: makeKeys('P-256'), ca: true });
const stranger = makeCertificate({ subject: { CN: 'root' }, keys: makeKeys('P-256'), ca: true });
const ak = makeAk('RSA');
const signer = readAttestationKey(ak.area);

/** keyUsage with one octet of bits, and extKeyUsage tcg-kp-AIKCertificate (2.23.133.8.3). */
const usage = (bits: number) => ({ id: '2.5.29.15', value: Buffer.from([3, 2, 0, bits]) });
const DIGITAL_SIGNATURE = usage(0x80);
const KEY_ENCIPHERMENT = usage(0x20);
const PURPOSE = { id: '2.5.29.37', value: Buffer.from('300706056781050803', 'hex') };

const issued = (changed: Partial<CertificateSpec> = {}) =>
  makeCertificate({
    subject: { CN: 'ak' },
    keys: ak,
    issuer: root,
    extensions: [DIGITAL_SIGNATURE, PURPOSE],
    ...changed,
  });

const judged = (made = issued(), authorities = [root.x509], key = signer) =>
  judgeAkCertificate(
    { certificate: parseEkCertificate(made.der), authorities, atMs: Date.UTC(2026, 0, 1) },
    key,
  );
const failed = ({ checks }: { readonly checks: readonly Check[] }): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);

it('judgeAkCertificate() has an authority vouch for the signing key', () => {
  const answer = judged();
  expect(failed(answer)).toEqual([]);
  expect(answer.checks[0]).toMatchObject({ name: 'AK certificate', claim: 'instance-identity' });
  expect(answer.claims).toMatchObject({ role: 'AK' });
});

it.each([
  [
    'of another key',
    () => judged(issued(), [root.x509], readAttestationKey(makeAk('ECC').area)),
    'AK certificate',
  ],
  ['of another authority', () => judged(issued(), [stranger.x509]), 'AK chain'],
  ['out of date', () => judged(issued({ validToMs: Date.UTC(2021, 0, 1) })), 'AK validity'],
  [
    'of a key that decrypts',
    () => judged(issued({ extensions: [KEY_ENCIPHERMENT, PURPOSE] })),
    'AK certificate',
  ],
])('judgeAkCertificate() refuses one %s', (_, judge, name) => {
  expect(failed(judge())).toContain(name);
});

it('judgeAkCertificate() claims nothing that is not of the signing key, and of a trusted root', () => {
  expect(judged(issued(), [stranger.x509]).claims).toEqual({});
  expect(judged(issued(), [root.x509], readAttestationKey(makeAk('ECC').area)).claims).toEqual({});
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it('judgeAkCertificate() holds that of a machine on Google Cloud', () => {
    const directory = 'tpm-quote/gce-cos-85-no-nonce-sha256';
    const roots = ['tpm_ek_intermediate_2.crt', 'tpm_ek_root_1.cer'];
    const answer = judgeAkCertificate(
      {
        certificate: parseEkCertificate(vector(`${directory}/ak.cert.der`)),
        authorities: roots.flatMap((name) => certificatesOf(vector(`ek/roots/gcp/${name}`))),
        atMs: Date.UTC(2026, 0, 1),
      },
      readAttestationKey(vector(`${directory}/ak.tpmt_public`)),
    );
    expect(failed(answer)).toEqual([]);
    expect(answer.claims).toHaveProperty('gce_instance.instance_name', 'cos-test');
  });
});
