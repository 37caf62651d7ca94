import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pemOf } from '#attest/testdata/certificate.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import {
  collateralMembers,
  pckCa,
  qeIdentity,
  tcbInfo,
  tcbSigning,
  tdxCollateral,
  tdxRoot,
} from '#attest/testdata/tdx.ts';
import { readCollateral } from './collateral.ts';

const members = collateralMembers();
const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const rootCrl = Buffer.from(members['root_ca_crl'] ?? '', 'hex');
const read = (bytes: Uint8Array): object => readCollateral([bytes]);

describe('readCollateral()', () => {
  it('reads quote_collateral_v3, every certificate once', () => {
    const collateral = readCollateral([tdxCollateral()]);
    expect(collateral.tcbInfo?.text).toBe(members['tcb_info']);
    expect(collateral.qeIdentity?.signature).toHaveLength(64);
    expect(collateral.lists).toHaveLength(2);
    expect(collateral.certificates.map(({ raw }) => raw)).toEqual([
      tcbSigning.der,
      tdxRoot.der,
      pckCa.der,
    ]);
  });

  it('keeps an answer of the PCS character for character', () => {
    const signature = members['tcb_info_signature'];
    const body = tcbInfo().replace(',', ' ,\n\t');
    const answer = `{ "signature" : "${signature}", "tcbInfo" : ${body} }`;
    expect(readCollateral([Buffer.from(answer)]).tcbInfo?.text).toBe(body);
    const identity = `{"enclaveIdentity":${qeIdentity()},"signature":"${signature}"}`;
    expect(readCollateral([Buffer.from(identity)]).qeIdentity?.text).toBe(qeIdentity());
  });

  it('reads an answer of the PCS inside quote_collateral_v3', () => {
    const answer = `{"tcbInfo":${tcbInfo()},"signature":"${members['tcb_info_signature']}"}`;
    const collateral = readCollateral([json({ tcb_info: answer })]);
    expect(collateral.tcbInfo?.text).toBe(tcbInfo());
  });

  it.each([
    ['DER', rootCrl],
    ['PEM', Buffer.from(pemOf('X509 CRL', rootCrl))],
    ['base64 in JSON', json({ root_ca_crl: rootCrl.toString('base64') })],
    ['PEM in JSON', json({ root_ca_crl: pemOf('X509 CRL', rootCrl) })],
    ['numbers in JSON', json({ root_ca_crl: [...rootCrl] })],
  ])('reads a revocation list as %s', (_, file) => {
    expect(readCollateral([file]).lists[0]?.signed.length).toBeGreaterThan(0);
  });

  it.each([
    ['DER', tdxRoot.der],
    ['PEM', Buffer.from(tdxRoot.pem)],
    ['an issuer chain in JSON', json({ tcb_info_issuer_chain: tdxRoot.pem })],
  ])('reads a certificate as %s', (_, file) => {
    expect(readCollateral([file]).certificates.map(({ raw }) => raw)).toEqual([tdxRoot.der]);
  });

  it('joins files', () => {
    const parts = Object.entries(members).filter(([name]) => !name.includes('_info'));
    const info = json({
      tcb_info: members['tcb_info'],
      tcb_info_signature: members['tcb_info_signature'],
    });
    const joined = readCollateral([json(Object.fromEntries(parts)), info]);
    expect(joined.tcbInfo?.text).toBe(members['tcb_info']);
    expect(joined.qeIdentity?.text).toBe(members['qe_identity']);
  });

  it.each([
    ['nothing it knows', json({ other: 1 })],
    ['no JSON', Buffer.from('collateral')],
    ['an array', Buffer.from('[]')],
    ['a body without a signature', json({ tcb_info: tcbInfo() })],
    ['a body that is no JSON', json({ tcb_info: '{', tcb_info_signature: '00'.repeat(64) })],
    ['a signature of another length', json({ tcb_info: tcbInfo(), tcb_info_signature: '00' })],
    ['a chain without a certificate', json({ tcb_info_issuer_chain: 'none' })],
  ])('refuses %s', (_, file) => {
    expect(outcome(read, file)).toBe('malformed');
  });

  it('refuses more lists and certificates than any collateral has', () => {
    const lists = Array.from({ length: 5 }, () => rootCrl);
    expect(() => readCollateral(lists)).toThrow('too many revocation lists');
  });

  it('ends in collateral or EVIDENCE_MALFORMED, whatever the bytes', () => {
    const samples = fc.constantFrom(
      tdxCollateral(),
      rootCrl,
      tdxRoot.der,
      Buffer.from(tdxRoot.pem),
    );
    fc.assert(fc.property(samples.chain(hostile), (bytes) => void outcome(read, bytes)));
  });
});
