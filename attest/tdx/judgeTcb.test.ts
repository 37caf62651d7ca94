import { describe, expect, it } from 'vitest';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import {
  anchors,
  moduleIdentity,
  pck,
  qeIdentity,
  LAST_MS,
  svnLevel,
  tcbInfo,
  tcbLevel,
  tcbSigning,
  tdxCollateral,
  tdxQuote,
} from '#attest/testdata/tdx.ts';
import { ENROLLED, judged, policy, withCollateral } from '#attest/testdata/tdxJudged.ts';
import { readCollateral } from './collateral.ts';

describe('judgeTdx(), TCB', () => {
  it('refuses stale collateral with the remedy, each document by itself', () => {
    expect(withCollateral({}, {}, ENROLLED, LAST_MS).failing).toEqual([]);
    const outcome = withCollateral({}, {}, ENROLLED, LAST_MS + 1);
    expect(outcome.failing).toEqual([
      'PCK revocation',
      'CA revocation',
      'TCB info date',
      'QE identity date',
    ]);
    expect(outcome.text('TCB info date')).toContain('fetch it again');
    expect(outcome.claims).toMatchObject({ tcb_status: 'UpToDate' }); // the quote itself still holds
  });

  it('refuses collateral that another key signed, or a PCK', () => {
    const forger = makeCertificate({
      subject: { CN: 'Intel SGX TCB Signing' },
      keys: makeKeys('P-256'),
    });
    const failing = ['TCB info signature', 'QE identity signature'];
    expect(withCollateral({ signer: forger }).failing).toEqual(failing);
    expect(withCollateral({ signer: pck() }).failing).toEqual(failing);
  });

  it('refuses collateral whose signer chains to another root', () => {
    const subject = { CN: 'Intel SGX Root CA' };
    const root = makeCertificate({ subject, keys: makeKeys('P-256'), ca: true });
    const signer = makeCertificate({
      subject: { CN: 'Intel SGX TCB Signing' },
      keys: makeKeys('P-256'),
      issuer: root,
    });
    const outcome = withCollateral({ signer });
    expect(outcome.failing).toEqual(['TCB info signature', 'QE identity signature']);
    expect(outcome.text('TCB info signature')).toContain('does not chain to the Intel SGX Root');
  });

  it('refuses TCB info with a character changed', () => {
    const members = JSON.parse(tdxCollateral().toString()) as Record<string, string>;
    members['tcb_info'] = (members['tcb_info'] ?? '').replace('"UpToDate"', '"UpToDatE"');
    const collateral = readCollateral([Buffer.from(JSON.stringify(members))]);
    const outcome = judged({ quote: tdxQuote(), collateral });
    expect(outcome.failing).toEqual(['TCB info signature']);
    expect(outcome.claims).not.toHaveProperty('tcb_status');
  });

  it('takes TCB info without an issuer chain by the known key', () => {
    const info = tcbInfo();
    const { tcb_info_signature: signature } = JSON.parse(tdxCollateral().toString()) as Record<
      string,
      string
    >;
    const answer = Buffer.from(`{"tcbInfo":${info},"signature":"${signature}"}`);
    const collateral = readCollateral([answer]);
    const known = { ...anchors, tcbSigner: tcbSigning.x509.publicKey };
    expect(judged({ quote: tdxQuote(), collateral, anchors: known }).failing).toEqual([]);
    expect(judged({ quote: tdxQuote(), collateral }).failing).toEqual(['TCB info signature']);
  });

  it('refuses TCB info for another kind of processor', () => {
    const outcome = withCollateral({ tcbInfo: tcbInfo({ fmspc: '00606a000000' }) });
    expect(outcome.failing).toEqual(['FMSPC']);
    expect(outcome.claims).not.toHaveProperty('tcb_status');
  });

  it('refuses TCB info for SGX, or of an evaluation that is too old', () => {
    expect(withCollateral({ tcbInfo: tcbInfo({ id: 'SGX' }) }).failing).toEqual(['TCB info kind']);
    const reached = { ...ENROLLED, min_tcb_evaluation_data_number: 18 };
    expect(withCollateral({}, {}, reached).verdict).toBe('affirming');
    const asked = { ...ENROLLED, min_tcb_evaluation_data_number: 19 };
    const old = withCollateral({}, {}, asked).failing;
    expect(old).toEqual(['TCB evaluation', 'QE identity evaluation']);
    const identity = qeIdentity({ tcbEvaluationDataNumber: 17 });
    expect(withCollateral({ qeIdentity: identity }, {}, reached)).toMatchObject({
      verdict: 'contraindicated',
      failing: ['QE identity evaluation'],
    });
  });

  it.each([
    ['SWHardeningNeeded', 'warning', 'affirming'],
    ['ConfigurationNeeded', 'warning', 'affirming'],
    ['ConfigurationAndSWHardeningNeeded', 'warning', 'affirming'],
    ['OutOfDate', 'contraindicated', 'warning'],
    ['OutOfDateConfigurationNeeded', 'contraindicated', 'warning'],
  ])('takes level %s for %s, and for %s where the policy accepts it', (status, by, accepted) => {
    const levels = [tcbLevel(4, 4, 'UpToDate'), tcbLevel(3, 4, status, { advisoryIDs: ['SA-1'] })];
    const collateral = { tcbInfo: tcbInfo({ tcbLevels: levels }) };
    const outcome = withCollateral(collateral);
    expect(outcome).toMatchObject({ verdict: by, failing: ['TCB status'] });
    expect(outcome.claims).toMatchObject({ tcb_status: status, advisory_ids: ['SA-1'] });
    expect(outcome.text('TCB status')).toMatch(/^\w+: .+\. Open: SA-1\.$/);
    const asked = { ...ENROLLED, accept_tcb_status: [status] };
    expect(withCollateral(collateral, {}, asked)).toMatchObject({ verdict: accepted, failing: [] });
  });

  it('never accepts a revoked level', () => {
    const revoked = { tcbInfo: tcbInfo({ tcbLevels: [tcbLevel(3, 4, 'Revoked')] }) };
    expect(withCollateral(revoked)).toMatchObject({ verdict: 'contraindicated' });
    expect(() => policy({ accept_tcb_status: ['Revoked'] })).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID' }),
    );
  });

  it('names each part that falls short of every level, with the remedy', () => {
    const outcome = withCollateral({
      tcbInfo: tcbInfo({ tcbLevels: [tcbLevel(4, 6, 'UpToDate')] }),
    });
    expect(outcome.failing).toEqual(['TCB level', 'TCB status']);
    expect(outcome.text('TCB level')).toContain(
      'SGX component 1 (Early Microcode Update) is 3, needs 4: update the firmware of the host',
    );
    expect(outcome.text('TCB level')).toContain('TDX component 3 is 4, needs 6');
    expect(outcome.claims).toMatchObject({ tcb_status: null });
  });

  it('says what is reached, and nothing of shortfalls where there are none', () => {
    const { text } = withCollateral();
    expect(text('TCB level')).toBe('Level UpToDate of 2026-01-01T00:00:00Z.');
    expect(text('TDX module')).toBe('TDX_01 SVN 5 is UpToDate.');
    expect(text('quoting enclave')).toBe('SVN 7 is UpToDate.');
    expect(text('TCB status')).toBe('UpToDate.');
  });

  it.each([
    ['BIOS', 'update the firmware of the host'],
    ['OS/VMM', 'update microcode, SEAM loader and TDX module on the host'],
    [undefined, 'update the firmware'],
  ])('names the remedy for a component of category %s', (category, remedy) => {
    const sgxtcbcomponents = Array.from({ length: 16 }, (_, index) => ({
      svn: index === 15 ? 9 : 0,
      category,
    }));
    const { tcb, ...level } = tcbLevel(0, 0, 'UpToDate') as { tcb: object };
    const newest = { ...level, tcb: { ...tcb, pcesvn: 12, sgxtcbcomponents } };
    const levels = [newest, tcbLevel(3, 4, 'OutOfDate')];
    const { text } = withCollateral({ tcbInfo: tcbInfo({ tcbLevels: levels }) });
    expect(text('TCB level')).toBe(
      `Level OutOfDate of 2026-01-01T00:00:00Z. Short of the newest: SGX component 16 is 3, needs 9: ${remedy}; PCE SVN is 11, needs 12: update the SGX packages of the host.`,
    );
  });

  it('judges the TDX module by its identity', () => {
    const old = moduleIdentity('TDX_01', [svnLevel(6, 'UpToDate'), svnLevel(5, 'OutOfDate')]);
    const outcome = withCollateral({ tcbInfo: tcbInfo({ tdxModuleIdentities: [old] }) });
    expect(outcome.failing).toEqual(['TCB status']);
    expect(outcome.text('TDX module')).toContain('Its SVN is 5, needs 6: update the TDX module');
    expect(outcome.claims).toMatchObject({ module_status: 'OutOfDate', tcb_status: 'OutOfDate' });
    const unknown = moduleIdentity('TDX_03', [svnLevel(1, 'UpToDate')]);
    const missing = withCollateral({ tcbInfo: tcbInfo({ tdxModuleIdentities: [unknown] }) });
    expect(missing.failing).toEqual(['TDX module', 'TCB status']);
    expect(missing.claims).toMatchObject({ module_status: null });
  });

  it('says when a new start of the domain is all that is missing', () => {
    const old = moduleIdentity('TDX_01', [svnLevel(6, 'UpToDate'), svnLevel(5, 'OutOfDate')]);
    const updated = Uint8Array.from([6, 1, ...Array.from({ length: 14 }, () => 4)]);
    const outcome = withCollateral(
      { tcbInfo: tcbInfo({ tdxModuleIdentities: [old] }) },
      { version: 5, teeTcbSvn2: updated },
    );
    expect(outcome.text('TDX module')).toContain('start the domain again');
  });

  it('judges a module of TDX 1.0 by the level alone', () => {
    const svns = { teeTcbSvn: Uint8Array.from([4, 0, ...Array.from({ length: 14 }, () => 4)]) };
    const level = tcbLevel(3, 4, 'UpToDate') as { tcb: { tdxtcbcomponents: { svn: number }[] } };
    const other = withCollateral({ tcbInfo: tcbInfo({ tcbLevels: [level] }) }, svns);
    expect(other.failing).toEqual(['TCB level', 'TCB status']); // the level is for version 1
    const first = level.tcb.tdxtcbcomponents[1];
    if (first !== undefined) first.svn = 0;
    const outcome = withCollateral({ tcbInfo: tcbInfo({ tcbLevels: [level] }) }, svns);
    expect(outcome).toMatchObject({ verdict: 'affirming', failing: [] });
    expect(outcome.claims).not.toHaveProperty('module_status');
  });

  it('judges the quoting enclave by its identity', () => {
    const level = [svnLevel(8, 'UpToDate'), svnLevel(6, 'OutOfDate', { advisoryIDs: ['SA-2'] })];
    const old = withCollateral({ qeIdentity: qeIdentity({ tcbLevels: level }) });
    expect(old.failing).toEqual(['TCB status']);
    expect(old.claims).toMatchObject({ qe_status: 'OutOfDate', advisory_ids: ['SA-2'] });
    const below = withCollateral({
      qeIdentity: qeIdentity({ tcbLevels: [svnLevel(8, 'UpToDate')] }),
    });
    expect(below.failing).toEqual(['quoting enclave', 'TCB status']);
  });

  it.each([
    ['id', { id: 'QE' }],
    ['MRSIGNER', { mrsigner: '00'.repeat(32) }],
    ['ISVPRODID', { isvprodid: 1 }],
    ['MISCSELECT', { miscselect: '01000000' }],
    ['ATTRIBUTES', { attributes: '13000000000000000000000000000000' }],
  ])('refuses a quoting enclave of another %s', (_, change) => {
    const outcome = withCollateral({ qeIdentity: qeIdentity(change) });
    expect(outcome.failing).toEqual(['quoting enclave', 'TCB status']);
  });
});
