// What keeps a verdict from being affirming must show in the vector, or be about the form or the age of
// the evidence: over the shared vectors of every kind, good and bad.
import { describe, expect, it, test } from 'vitest';
import { fromHex } from '#agent/base/bytes.ts';
import { fail, pass, type Check } from './check.ts';
import { withClaim } from './checkClaim.ts';
import { AWS_NITRO_ROOT } from '#attest/nitro/chain.ts';
import { judgeNitro } from '#attest/nitro/judge.ts';
import { judgeQuote } from '#attest/quote/judge.ts';
import { readAttestationKey } from '#attest/quote/key.ts';
import { readPcrBanks } from '#attest/quote/pcrs.ts';
import { readCertificates } from '#attest/snp/certificates.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import { judgeTdx } from '#attest/tdx/judge.ts';
import {
  hasVector,
  noVectors,
  truths,
  vector,
  vectorText,
  type QuoteTruth,
} from '#attest/testdata/vectors.ts';
import { trustVector } from './trustVector.ts';

/** On the form and the age of the evidence, or on nothing that was looked at. */
const FORM: readonly string[] = [
  'quote format',
  'nonce',
  'PCR selection',
  'PCR digest',
  'claims',
  'guest',
  'trust domain',
];

const unaccounted = (checks: readonly Check[]): string[] =>
  checks
    .filter(({ ceiling, claim, name }) => ceiling !== 'affirming' && !claim && !FORM.includes(name))
    .map(({ name }) => name);

test('withClaim() has a log speak against executables and never for them', () => {
  const good = withClaim(pass('IMA boot aggregate', 'tied'));
  expect(good).toMatchObject({ claim: 'executables', affirms: 0 });
  expect(trustVector([good])).toEqual({ executables: 0 });
  const warned = withClaim(fail('IMA boot aggregate', 'it is all zero', 'warning'));
  expect(trustVector([warned, withClaim(pass('PCR 4', 'enrolled'))])).toEqual({ executables: 32 });
});

test('withClaim() keeps the claim that a check has', () => {
  const check = { ...pass('PCR 4', 'as enrolled'), claim: 'hardware' } as const;
  expect(withClaim(check)).toBe(check);
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const quotes = truths<QuoteTruth>('tpm-quote', 'quote.msg')
    .map(([path, { attest }]) => ({ folder: path.replace('/quote.msg', ''), attest }))
    .filter(({ folder }) => hasVector(`${folder}/pcrs.json`) && hasVector(`${folder}/quote.sig`));

  it.each(quotes)('$folder', ({ folder, attest }) => {
    const file = (name: string): Buffer | undefined =>
      hasVector(`${folder}/${name}`) ? vector(`${folder}/${name}`) : undefined;
    const { checks } = judgeQuote({
      message: vector(`${folder}/quote.msg`),
      signature: vector(`${folder}/quote.sig`),
      key: readAttestationKey(vector(`${folder}/ak.pem`)),
      nonce: fromHex(vectorText(`${folder}/nonce.hex`)),
      bank: attest.pcrSelect[0]?.alg === 'sha1' ? 'sha1' : 'sha256',
      pcrs: readPcrBanks(vector(`${folder}/pcrs.json`)),
      eventLog: file('eventlog.bin'),
      imaList: file('ima.ascii'),
    });
    expect(unaccounted(checks)).toEqual([]);
  });

  it.each(truths('snp', '.report.bin'))('%s', (path) => {
    const vek = readCertificates(vector(path.replace('.report.bin', '.vek.der')), 'VEK');
    for (const certificates of [vek, []]) {
      const atMs = Date.UTC(2026, 0, 1);
      expect(
        unaccounted(verifySnpReport({ report: vector(path), certificates, atMs }).checks),
      ).toEqual([]);
    }
  });

  it.each(truths('tdx', '.dat').filter(([, , negative]) => !negative))('%s', (path) => {
    const { checks } = judgeTdx({ quote: vector(path), atMs: Date.UTC(2026, 0, 1) });
    expect(unaccounted(checks)).toEqual([]);
  });

  it.each(truths('nitro'))('%s', (path) => {
    const terms = { root: fromHex(AWS_NITRO_ROOT), policy: undefined, nonce: undefined };
    for (const atMs of [0, Date.UTC(2024, 8, 7, 15)]) {
      expect(unaccounted(judgeNitro(vector(path), { ...terms, atMs }).checks)).toEqual([]);
    }
  });
});
