import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { concat, fromB64url, hex, sha256 } from '#agent/base/bytes.ts';
import { fixture, goodRequest } from '#attest/testdata/fixture.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import { noVectors, vector, vectorDirectory } from '#attest/testdata/vectors.ts';
import { parseEkCertificate, trustEk, type EkCertificate, type EkTrust } from './ek.ts';

const directory = mkdtempSync(join(tmpdir(), 'tl-ek-'));
afterAll(() => rmSync(directory, { recursive: true }));

const bytes = fromB64url(fixture.evidence.ekCertificate);
const WHEN = Date.UTC(2027, 0, 1);

it('parseEkCertificate() digests the public key, which identifies the TPM', () => {
  const { digest, x509 } = parseEkCertificate(bytes);
  const spki = x509.publicKey.export({ type: 'spki', format: 'der' });
  expect(digest).toBe(hex(sha256(spki)));
  expect(digest).toBe(goodRequest.enrolment.ekDigest);
});

it.each([0x00, 0xff])('parseEkCertificate() sets padding of %i aside', (byte) => {
  const padded = parseEkCertificate(concat(bytes, Buffer.alloc(100, byte)));
  expect(padded).toMatchObject({
    trailing: Buffer.alloc(100, byte),
    digest: parseEkCertificate(bytes).digest,
  });
  expect(padded.der).toEqual(bytes);
});

it('parseEkCertificate() ends in one error on any bytes', () => {
  fc.assert(fc.property(hostile(bytes), (altered) => void outcome(parseEkCertificate, altered)));
  expect(outcome(parseEkCertificate, Buffer.alloc(9000, 0x30))).toBe('malformed');
});

it('trustEk() trusts nothing without authorities', () => {
  expect(trustEk(parseEkCertificate(bytes), [], WHEN)).toEqual({
    trusted: false,
    why: 'its issuer "CN=swtpm-localca" is not among the 0 authorities',
  });
});

it('readEkAuthorities() skips what is no certificate and says so', async () => {
  writeFileSync(join(directory, 'README.txt'), 'not a certificate');
  const { certificates, skipped } = await readEkAuthorities(directory);
  expect(certificates).toEqual([]);
  expect(skipped).toEqual([expect.stringContaining('README.txt: ')]);
});

function certificate(path: string): EkCertificate {
  const file = vector(path);
  return parseEkCertificate(path.endsWith('.pem') ? new X509Certificate(file).raw : file);
}

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const judge = async (path: string, roots: string, nowMs: number): Promise<EkTrust> => {
    const { certificates } = await readEkAuthorities(vectorDirectory(roots));
    return trustEk(certificate(path), certificates, nowMs);
  };

  it.each(['st_ecdsa_ek.der', 'gce_pca_tpm_rsa_enc_cert.pem', 'gce_pca_tpm_rsa_sign_cert.pem'])(
    'trustEk() finds the chain of %s, as its origin does',
    async (name) => {
      expect(await judge(`ek/${name}`, 'ek/roots', WHEN)).toMatchObject({ trusted: true });
    },
  );

  it('trustEk() refuses the same certificates under other makers’ roots', async () => {
    expect(await judge('ek/st_ecdsa_ek.der', 'ek/roots/gcp', WHEN)).toEqual({
      trusted: false,
      why: 'its issuer "C=CH, O=STMicroelectronics NV, CN=STM TPM ECC Intermediate CA 01" is not among the 5 authorities',
    });
  });

  it('trustEk() goes by the date it is given', async () => {
    expect(await judge('ek/st_ecdsa_ek.der', 'ek/roots', Date.UTC(2029, 0, 1))).toEqual({
      trusted: false,
      why: '"the certificate" expired Jul 26 00:00:00 2028 GMT',
    });
    expect(await judge('ek/st_ecdsa_ek.der', 'ek/roots', Date.UTC(2018, 0, 1))).toMatchObject({
      trusted: false,
    });
  });

  it('trustEk() refuses a certificate whose signature does not verify', async () => {
    const der = vector('ek/st_ecdsa_ek.der');
    const altered = Buffer.from(der);
    altered[altered.length - 5] = (altered.at(-5) ?? 0) ^ 1;
    const { certificates } = await readEkAuthorities(vectorDirectory('ek/roots'));
    expect(trustEk(parseEkCertificate(altered), certificates, WHEN)).toMatchObject({
      trusted: false,
      why: expect.stringContaining('does not verify') as string,
    });
  });

  it('trustEk() walks over an intermediate to the root, and needs both', () => {
    const directory = 'tpm-quote/swtpm-q1_good_sha256';
    const ek = certificate(`${directory}/ek.cert.der`);
    const of = (name: string) => new X509Certificate(vector(`${directory}/${name}`));
    const [root, intermediate] = [of('ek-ca-root.pem'), of('ek-ca-intermediate.pem')];
    expect(trustEk(ek, [root, intermediate], WHEN)).toEqual({
      trusted: true,
      chain: ['CN=swtpm-localca', 'CN=swtpm-localca-rootca'],
    });
    expect(trustEk(ek, [intermediate], WHEN)).toMatchObject({ trusted: false });
    expect(trustEk(ek, [root], WHEN)).toMatchObject({ trusted: false });
  });

  it('readEkAuthorities() reads bundles of many and single DER files', async () => {
    const { certificates, skipped } = await readEkAuthorities(vectorDirectory('ek/roots'));
    expect(skipped).toEqual([]);
    expect(certificates.length).toBeGreaterThan(200);
  });
});
