import { describe, expect, it } from 'vitest';
import { makeCertificate, makeKeys, pemOf } from '#attest/testdata/certificate.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import { anchors, MADE_MS, pck, pckCa, tdxQuote, tdxRoot } from '#attest/testdata/tdx.ts';
import { judged, type TdxOutcome } from '#attest/testdata/tdxJudged.ts';
import { readCollateral } from './collateral.ts';
import { judgeTdx } from './judge.ts';

describe('judgeTdx(), who signed', () => {
  it('refuses a root that is not Intel’s, and claims nothing', () => {
    const { anchors: _, ...question } = { anchors, quote: tdxQuote() };
    const { checks, claims } = judgeTdx({ ...question, atMs: MADE_MS });
    expect(checks.filter(({ result }) => result === 'fail').map(({ name }) => name)).toEqual([
      'Intel root',
    ]);
    expect(claims).toEqual({});
  });

  it('refuses a chain that is broken or out of date', () => {
    const stranger = makeCertificate({
      subject: { CN: 'Intel SGX PCK Platform CA' },
      keys: makeKeys('P-256'),
      ca: true,
    });
    const leaf = pck({ issuer: stranger });
    const broken = judged({ quote: tdxQuote({ pck: leaf }) });
    expect(broken.failing).toEqual(['PCK chain']);
    expect(broken.claims).toEqual({});
    const expired = judged({ quote: tdxQuote({ pck: pck({ validToMs: MADE_MS - 1 }) }) });
    expect(expired.text('PCK chain')).toContain('expired');
    expect(expired.verdict).toBe('contraindicated');
  });

  it('finds the root in the collateral where the quote leaves it out', () => {
    const quote = tdxQuote({ chain: pck().pem + pckCa.pem });
    expect(judged({ quote }).failing).toEqual(['PCK chain']);
    const collateral = readCollateral([Buffer.from(tdxRoot.pem)]);
    expect(judged({ quote, collateral }).failing).toEqual([]);
  });

  it('refuses a chain of no PCK, of too many certificates, of none', () => {
    const noPck = judged({ quote: tdxQuote({ chain: pckCa.pem + tdxRoot.pem }) });
    expect(noPck.text('PCK chain')).toContain('no SGX extension');
    const many = Array.from({ length: 5 }, () => pck().pem).join('');
    expect(judged({ quote: tdxQuote({ chain: many }) }).text('PCK chain')).toContain('at most 4');
    expect(judged({ quote: tdxQuote({ chain: 'nothing' }) }).failing).toEqual(['PCK chain']);
  });

  it('refuses a PCK whose key is no point of its curve', () => {
    const { der, x509 } = pck();
    const point = der.indexOf(x509.publicKey.export({ type: 'spki', format: 'der' }).subarray(-64));
    const chain = [flipped(der, point), pckCa.der, tdxRoot.der];
    const pem = chain.map((each) => pemOf('CERTIFICATE', each)).join('');
    const outcome = judged({ quote: tdxQuote({ chain: pem }) });
    expect(outcome.failing).toEqual(['QE report signature', 'PCK chain']);
  });

  it('knows nothing where the quote only names its PCK', () => {
    const outcome = judged({ quote: tdxQuote({ certificationType: 3 }) });
    expect(outcome).toMatchObject({ verdict: 'none', failing: [], claims: {} });
    expect(outcome.text('PCK chain')).toContain('type 3');
  });

  it('takes the chain from the collateral where the quote only names its PCK', () => {
    const quote = tdxQuote({ certificationType: 3 });
    const given = (leaf: string): TdxOutcome => {
      const chain = { pck_certificate_chain: leaf + pckCa.pem + tdxRoot.pem };
      return judged({ quote, collateral: readCollateral([Buffer.from(JSON.stringify(chain))]) });
    };
    expect(given(pck().pem)).toMatchObject({ verdict: 'warning', failing: [] });
    const keys = makeKeys('P-256');
    expect(given(pck({ keys }).pem).failing).toEqual(['QE report signature']);
  });

  it('refuses a key that another enclave on the platform made', () => {
    const other = judged({ quote: tdxQuote({ enclave: { mrSigner: Buffer.alloc(32, 9) } }) });
    expect(other).toMatchObject({ failing: ['QE signer'], claims: {} });
    const debug = Buffer.from('1700000000000000e700000000000000', 'hex');
    expect(judged({ quote: tdxQuote({ enclave: { attributes: debug } }) }).failing).toEqual([
      'QE signer',
    ]);
    expect(judged({ quote: tdxQuote({ enclave: { isvProdId: 1 } }) }).failing).toEqual([
      'QE signer',
    ]);
  });

  it('refuses an attestation key that the enclave did not name', () => {
    const outcome = judged({ quote: tdxQuote({ enclave: { reportData: Buffer.alloc(64) } }) });
    expect(outcome).toMatchObject({ failing: ['attestation key'], claims: {} });
  });

  it('claims nothing once any bit of what is signed has changed (trap 6)', () => {
    const quote = tdxQuote({ version: 5 });
    const signedBytes = 48 + 6 + 648;
    for (let index = 0; index < signedBytes; index += 1) {
      let claims: object = {};
      try {
        ({ claims } = judged({ quote: flipped(quote, index, index % 8) }));
      } catch {
        continue; // lengths and versions: malformed
      }
      expect(claims, `byte ${index}`).toEqual({});
    }
  });

  it.each([
    ['signature', 4, 'quote signature'],
    ['attestation key', 4 + 64, 'quote signature'],
    ['report of the quoting enclave', 4 + 128 + 6, 'QE report signature'],
    ['signature over it', 4 + 128 + 6 + 384, 'QE report signature'],
    ['authentication data', 4 + 128 + 6 + 384 + 64 + 2, 'attestation key'],
  ])('names the broken link: %s', (_, offset, name) => {
    const outcome = judged({ quote: flipped(tdxQuote(), 48 + 584 + offset) });
    expect(outcome.failing).toContain(name);
    expect(outcome).toMatchObject({ verdict: 'contraindicated', claims: {} });
  });
});
