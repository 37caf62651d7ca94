import { describe, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import {
  anchors,
  collateralMembers,
  MADE_MS,
  MR_TD,
  PCK_SERIAL,
  pckCa,
  tdxCollateral,
  tdxQuote,
  type QuoteSpec,
} from '#attest/testdata/tdx.ts';
import { makeRevocationList } from '#attest/testdata/certificate.ts';
import { ENROLLED, judged, policy, withCollateral } from '#attest/testdata/tdxJudged.ts';
import { readCollateral } from './collateral.ts';
import { judgeTdx } from './judge.ts';

describe('judgeTdx()', () => {
  it.each([
    ['version 4', {}],
    ['version 5', { version: 5 }],
    ['version 5, TDX 1.0', { version: 5, bodyType: 2 }],
    ['version 5, TDX 1.5 extended', { version: 5, bodyType: 4 }],
  ] as const)('affirms a good domain on an up-to-date platform: %s', (_, spec) => {
    const outcome = withCollateral({}, spec);
    expect(outcome).toMatchObject({ verdict: 'affirming', failing: [] });
    expect(outcome.claims).toMatchObject({
      mr_td: hex(MR_TD),
      td_debug: false,
      fmspc: 'a0b06f000000',
      tcb_status: 'UpToDate',
      module_status: 'UpToDate',
      qe_status: 'UpToDate',
      advisory_ids: [],
    });
  });

  it('takes missing collateral for a warning at best, and says what is not checked', () => {
    const outcome = judged({ quote: tdxQuote(), policy: policy(ENROLLED) });
    expect(outcome).toMatchObject({ verdict: 'warning', failing: [] });
    expect(outcome.text('TCB info')).toContain('not known');
    expect(outcome.claims).not.toHaveProperty('tcb_status');
  });

  it.each([
    ['TCB info', /^tcb_info/],
    ['QE identity', /^qe_identity/],
    ['PCK revocation', /^pck_crl$/],
    ['CA revocation', /^root_ca_crl$/],
  ])('takes collateral without what %s needs for a warning', (name, members) => {
    const kept = Object.entries(collateralMembers()).filter(([member]) => !members.test(member));
    const collateral = readCollateral([Buffer.from(JSON.stringify(Object.fromEntries(kept)))]);
    const outcome = judged({ quote: tdxQuote(), collateral, policy: policy(ENROLLED) });
    expect(outcome).toMatchObject({ verdict: 'warning', failing: [] });
    expect(outcome.text(name)).toContain('was given');
  });

  it('says which form the quote has', () => {
    const form = (quote: Buffer): string => judged({ quote }).text('quote form');
    expect(form(tdxQuote())).toBe('Version 4, TDX 1.0 report.');
    const longer = Buffer.concat([tdxQuote({ version: 5 }), Buffer.alloc(7)]);
    expect(judged({ quote: longer }).claims).toHaveProperty('body_type', 3);
    expect(judged({ quote: tdxQuote() }).claims).not.toHaveProperty('body_type');
    expect(form(longer)).toBe(
      'Version 5, body type 3, TDX 1.5 report. 7 bytes follow it, which nothing signs.',
    );
  });

  it('takes a missing reference value for a warning at best', () => {
    const outcome = withCollateral({}, {}, {});
    expect(outcome).toMatchObject({ verdict: 'warning', failing: [] });
    expect(outcome.text('mr_td')).toContain('names no value');
    expect(outcome.text('report_data')).toContain('any age');
  });

  it('refuses a domain under debug unless the policy allows it', () => {
    const debug = { tdAttributes: Buffer.from('0100001000000000', 'hex') };
    const refused = withCollateral({}, debug);
    expect(refused).toMatchObject({ verdict: 'contraindicated', failing: ['TD debug'] });
    const allowed = withCollateral({}, debug, { ...ENROLLED, allow_debug: true });
    expect(allowed).toMatchObject({ verdict: 'warning', failing: [] });
  });

  it('warns of attributes that open the domain to its host', () => {
    const outcome = withCollateral({}, { tdAttributes: Buffer.alloc(8) });
    expect(outcome).toMatchObject({ verdict: 'warning', failing: ['TD attributes'] });
    expect(outcome.text('TD attributes')).toMatch(/^Set: none\. Not sept_ve_disable/);
    expect(withCollateral().text('TD attributes')).toBe('Set: sept_ve_disable.');
    const unknown = withCollateral({}, { tdAttributes: Buffer.from('0001001000000000', 'hex') });
    expect(unknown.text('TD attributes')).toContain('Bits 8');
  });

  it('judges attributes that the mask of the policy leaves out', () => {
    const asked = (mask: string) => ({
      ...ENROLLED,
      td_attributes: { mask, value: '0'.repeat(16) },
    });
    const unknown = { tdAttributes: Buffer.from('0001001000000000', 'hex') };
    const noMask = withCollateral({}, unknown, asked('0'.repeat(16)));
    expect(noMask).toMatchObject({ verdict: 'warning', failing: ['TD attributes'] });
    const named = withCollateral({}, unknown, {
      ...ENROLLED,
      td_attributes: { mask: '0001000000000000', value: '0001000000000000' },
    });
    expect(named).toMatchObject({ verdict: 'affirming', failing: [] });
    const open = { tdAttributes: Buffer.alloc(8) };
    expect(withCollateral({}, open, asked('0'.repeat(16))).failing).toEqual(['TD attributes']);
    expect(withCollateral({}, open, asked('0000001000000000')).failing).toEqual([]);
  });

  it('refuses a migratable domain unless the policy allows it', () => {
    const migratable = { tdAttributes: Buffer.from('0000003000000000', 'hex') };
    const refused = withCollateral({}, migratable);
    expect(refused).toMatchObject({ verdict: 'contraindicated', failing: ['TD migration'] });
    const allowed = withCollateral({}, migratable, { ...ENROLLED, allow_migratable: true });
    expect(allowed).toMatchObject({ verdict: 'affirming', failing: [] });
  });

  it('refuses a TDX module that is not Intel’s', () => {
    const signer = withCollateral({}, { mrSignerSeam: Buffer.alloc(48, 1) });
    expect(signer.failing).toEqual(['TDX module', 'TCB status', 'SEAM module']);
    const attributes = withCollateral({}, { seamAttributes: Buffer.alloc(8, 1) });
    expect(attributes.verdict).toBe('contraindicated');
  });
});

describe('judgeTdx(), revocation', () => {
  it('refuses a PCK that its CA took back, and claims nothing', () => {
    const outcome = withCollateral({ revokedByCa: [PCK_SERIAL] });
    expect(outcome.failing).toEqual(['PCK revocation']);
    expect(outcome.claims).toEqual({});
  });

  it('refuses a CA that the root took back', () => {
    const outcome = withCollateral({ revokedByRoot: [20] });
    expect(outcome.failing).toEqual(['CA revocation']);
    expect(outcome.claims).toEqual({});
  });

  it('refuses collateral whose signer the root took back', () => {
    const outcome = withCollateral({ revokedByRoot: [30] });
    expect(outcome.failing).toEqual(['TCB info signature', 'QE identity signature']);
  });

  it('goes by the newest of several lists of a CA', () => {
    const old = { issuer: pckCa, thisUpdateMs: MADE_MS - 1e10, nextUpdateMs: MADE_MS + 1e10 };
    const revoking = makeRevocationList({ ...old, revoked: [PCK_SERIAL] });
    for (const files of [
      [revoking, tdxCollateral()],
      [tdxCollateral(), revoking],
    ]) {
      const collateral = readCollateral(files);
      expect(judged({ quote: tdxQuote(), collateral }).failing).toEqual([]);
    }
  });

  it('refuses a list that no CA of the chain signed', () => {
    const altered = JSON.parse(tdxCollateral().toString()) as Record<string, string>;
    const list = Buffer.from(altered['pck_crl'] ?? '', 'hex');
    altered['pck_crl'] = hex(flipped(list, list.length - 1));
    const collateral = readCollateral([Buffer.from(JSON.stringify(altered))]);
    const outcome = judged({ quote: tdxQuote(), collateral, policy: policy(ENROLLED) });
    expect(outcome.failing).toEqual(['revocation lists']);
  });
});

describe('judgeTdx(), policy', () => {
  it.each([
    ['mr_td', { mrTd: Buffer.alloc(48, 1) }],
    ['rtmr3', { rtmr3: Buffer.alloc(48, 1) }],
    ['report_data', { reportData: Buffer.alloc(64, 1) }],
    ['mr_config_id', { mrConfigId: Buffer.alloc(48, 1) }],
  ])('refuses another %s than enrolled', (name, spec) => {
    const zeros = { rtmr3: ['00'.repeat(48)], mr_config_id: ['00'.repeat(48)] };
    const outcome = withCollateral({}, spec, { ...ENROLLED, ...zeros });
    expect(outcome).toMatchObject({ verdict: 'contraindicated', failing: [name] });
    expect(outcome.text(name)).toContain('is not among the 1 enrolled');
    const isRelay = outcome.text(name).includes('another key (a relay)');
    expect(isRelay).toBe(name === 'report_data'); // trap 9
  });

  it('refuses a report without the mr_service_td that the policy names', () => {
    const asked = { ...ENROLLED, mr_service_td: ['00'.repeat(48), 'ab'.repeat(48)] };
    for (const spec of [{}, { version: 5, bodyType: 2 }] as const) {
      const outcome = withCollateral({}, spec, asked);
      expect(outcome).toMatchObject({ verdict: 'contraindicated', failing: ['mr_service_td'] });
      expect(outcome.text('mr_service_td')).toContain('TDX 1.0 have no mr_service_td');
      expect(outcome.claims).not.toHaveProperty('mr_service_td');
    }
    const later = withCollateral({}, { version: 5 }, asked);
    expect(later).toMatchObject({ verdict: 'affirming', failing: [] });
    expect(later.claims).toHaveProperty('mr_service_td', '00'.repeat(48));
  });

  it('warns of a register that is set and not enrolled', () => {
    const outcome = withCollateral({}, { mrConfigId: Buffer.alloc(48, 1) });
    expect(outcome).toMatchObject({ verdict: 'warning', failing: [] });
    expect(outcome.text('mr_config_id')).toContain('names no value');
  });

  it('compares attributes and XFAM under masks', () => {
    const asked = { ...ENROLLED, xfam: { mask: 'ffffffffffffffff', value: 'e700060000000000' } };
    expect(withCollateral({}, {}, asked).verdict).toBe('affirming');
    const other = {
      ...ENROLLED,
      td_attributes: { mask: '000000f000000000', value: '0'.repeat(16) },
    };
    expect(withCollateral({}, {}, other).failing).toEqual(['td_attributes']);
  });

  it('holds every TDX SVN to its floor', () => {
    const reached = { ...ENROLLED, min_tee_tcb_svn: `0501${'04'.repeat(14)}` };
    expect(withCollateral({}, {}, reached).verdict).toBe('affirming');
    const asked = { ...ENROLLED, min_tee_tcb_svn: `060104${'00'.repeat(13)}` };
    const outcome = withCollateral({}, {}, asked);
    expect(outcome.failing).toEqual(['TEE TCB floor']);
    expect(outcome.text('TEE TCB floor')).toContain('TDX component 1 is 5, needs 6');
  });

  const LOGGED = {
    rtmr0: 'a0'.repeat(48),
    rtmr1: 'a1'.repeat(48),
    rtmr2: 'a2'.repeat(48),
    rtmr3: '00'.repeat(48),
  };
  const explained = (log: Partial<typeof LOGGED>, quote: QuoteSpec = {}) => {
    const question = { quote: tdxQuote(quote), replayed: { ...LOGGED, ...log } };
    const { checks } = judgeTdx({ anchors, atMs: MADE_MS, ...question });
    return checks.find(({ name }) => name === 'event log');
  };

  it.each([
    ['rtmr0', { rtmr0: '00'.repeat(48) }],
    ['rtmr1', { rtmr1: '11'.repeat(48) }],
    ['rtmr3', { rtmr3: '11'.repeat(48) }], // which the quote says nothing was put into
  ] as const)('refuses an event log that does not account for %s', (name, log) => {
    expect(explained({})).toMatchObject({ result: 'pass', ceiling: 'affirming' });
    const check = explained(log);
    expect(check).toMatchObject({ result: 'fail', ceiling: 'contraindicated' });
    expect(check?.text).toContain(name);
  });

  it('lets RTMR 2 and 3 go on after boot, and says what is not known then', () => {
    const wentOn = { rtmr3: Buffer.alloc(48, 0xa3) };
    const check = explained({}, wentOn);
    expect(check).toMatchObject({ result: 'pass', ceiling: 'affirming' });
    expect(check?.text).toContain('but rtmr3, which went on after boot');
    for (const log of [{ rtmr2: '22'.repeat(48) }, { rtmr3: '33'.repeat(48) }]) {
      const other = explained(log, wentOn);
      expect(other).toMatchObject({ result: 'not checked', ceiling: 'warning' });
      expect(other?.text).toContain('is not known to be true');
    }
  });
});
