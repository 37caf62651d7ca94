import { describe, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import { verdictOf, type Check, type Verdict } from '#attest/check.ts';
import { replayRtmrs } from '#attest/eventlog/ccel.ts';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import {
  anchors,
  MADE_MS,
  moduleIdentity,
  MR_TD,
  pck,
  PCK_SERIAL,
  pckCa,
  qeIdentity,
  REPORT_DATA,
  STALE_MS,
  svnLevel,
  tcbInfo,
  tcbLevel,
  tcbSigning,
  tdxCollateral,
  tdxQuote,
  tdxRoot,
  type CollateralSpec,
  type QuoteSpec,
} from '#attest/testdata/tdx.ts';
import { noVectors, truths, vector } from '#attest/testdata/vectors.ts';
import { readCollateral } from './collateral.ts';
import { judgeTdx, type TdxQuestion } from './judge.ts';
import { readTdxPolicy } from './policy.ts';

interface Outcome {
  readonly verdict: Verdict;
  /** Names of failing checks. */
  readonly failing: readonly string[];
  readonly text: (name: string) => string;
  readonly claims: Readonly<Record<string, unknown>>;
}

function judged(question: Omit<TdxQuestion, 'atMs'> & { readonly atMs?: number }): Outcome {
  const { checks, claims } = judgeTdx({ anchors, atMs: MADE_MS, ...question });
  const named = (name: string): Check | undefined => checks.find((check) => check.name === name);
  return {
    verdict: verdictOf(checks),
    failing: checks.filter(({ result }) => result === 'fail').map(({ name }) => name),
    text: (name) => named(name)?.text ?? 'no such check',
    claims,
  };
}

const policy = (members: object): ReturnType<typeof readTdxPolicy> =>
  readTdxPolicy(Buffer.from(JSON.stringify({ v: 1, ...members })));

const ENROLLED = {
  mr_td: [hex(MR_TD)],
  rtmr0: ['a0'.repeat(48)],
  rtmr1: ['a1'.repeat(48)],
  rtmr2: ['a2'.repeat(48), 'ff'.repeat(48)],
  report_data: [hex(REPORT_DATA)],
};

const withCollateral = (
  collateral: CollateralSpec = {},
  quote: QuoteSpec = {},
  asked: object = ENROLLED,
  atMs = MADE_MS,
): Outcome =>
  judged({
    quote: tdxQuote(quote),
    collateral: readCollateral([tdxCollateral(collateral)]),
    policy: policy(asked),
    atMs,
  });

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
    const unknown = withCollateral({}, { tdAttributes: Buffer.from('0001001000000000', 'hex') });
    expect(unknown.text('TD attributes')).toContain('Bits 8');
  });

  it('refuses a TDX module that is not Intel’s', () => {
    const signer = withCollateral({}, { mrSignerSeam: Buffer.alloc(48, 1) });
    expect(signer.failing).toEqual(['TDX module', 'TCB status', 'SEAM module']);
    const attributes = withCollateral({}, { seamAttributes: Buffer.alloc(8, 1) });
    expect(attributes.verdict).toBe('contraindicated');
  });
});

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

  it('knows nothing where the quote only names its PCK', () => {
    const outcome = judged({ quote: tdxQuote({ certificationType: 3 }) });
    expect(outcome).toMatchObject({ verdict: 'none', failing: [], claims: {} });
    expect(outcome.text('PCK chain')).toContain('type 3');
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

  it('claims nothing once any bit of what is signed has changed', () => {
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

describe('judgeTdx(), revocation', () => {
  it('refuses a PCK that its CA took back, and claims nothing', () => {
    const outcome = withCollateral({ revokedByCa: [PCK_SERIAL] });
    expect(outcome.failing).toEqual(['revocation by Intel SGX PCK Platform CA']);
    expect(outcome.claims).toEqual({});
  });

  it('refuses a CA that the root took back', () => {
    const outcome = withCollateral({ revokedByRoot: [20] });
    expect(outcome.failing).toEqual(['revocation by Intel SGX Root CA']);
    expect(outcome.claims).toEqual({});
  });

  it('refuses collateral whose signer the root took back', () => {
    const outcome = withCollateral({ revokedByRoot: [30] });
    expect(outcome.failing).toEqual(['TCB info signature', 'QE identity signature']);
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

describe('judgeTdx(), TCB', () => {
  it('refuses stale collateral with the remedy, each document by itself', () => {
    const outcome = withCollateral({}, {}, ENROLLED, STALE_MS);
    expect(outcome.failing).toEqual([
      'revocation by Intel SGX PCK Platform CA',
      'revocation by Intel SGX Root CA',
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
    const asked = { ...ENROLLED, min_tcb_evaluation_data_number: 19 };
    expect(withCollateral({}, {}, asked).failing).toEqual(['TCB evaluation']);
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
    const asked = { ...ENROLLED, min_tee_tcb_svn: `060104${'00'.repeat(13)}` };
    const outcome = withCollateral({}, {}, asked);
    expect(outcome.failing).toEqual(['TEE TCB floor']);
    expect(outcome.text('TEE TCB floor')).toContain('TDX component 1 is 5, needs 6');
  });

  it('refuses an event log that does not account for an RTMR', () => {
    const rtmrs = { rtmr0: 'a0', rtmr1: 'a1', rtmr2: 'a2', rtmr3: '00' };
    const replayed = Object.fromEntries(
      Object.entries(rtmrs).map(([name, octet]) => [name, octet.repeat(48)]),
    ) as typeof rtmrs;
    expect(judged({ quote: tdxQuote(), replayed }).failing).toEqual([]);
    const outcome = judged({
      quote: tdxQuote(),
      replayed: { ...replayed, rtmr3: '11'.repeat(48) },
    });
    expect(outcome.failing).toEqual(['event log']);
    expect(outcome.text('event log')).toContain('rtmr3');
  });
});

interface TdxTruth {
  readonly version: number;
  readonly qe_vendor_id: string;
  readonly user_data: string;
  readonly td: Readonly<Record<string, string>>;
  readonly trailing: number;
  readonly intel_root: boolean;
  readonly td_debug: boolean;
  readonly pck: {
    readonly fmspc: string;
    readonly pceid: string;
    readonly tcb_comp: readonly number[];
    readonly pcesvn: number;
  };
  readonly tcb?: {
    readonly level: readonly [status: string, date: string, ...unknown[]] | null;
    readonly tdx_module: readonly [id: string, status: string, date: string] | null;
    readonly qe?: readonly [status: string, date: string];
    readonly issueDate: string;
  };
}

const SPR_E4 = 'tdx/gotdx_v4_SPR_E4.dat';

describe.skipIf(noVectors !== undefined)(
  `judgeTdx() of vectors${noVectors ? `: ${noVectors}` : ''}`,
  () => {
    const quotes = truths<TdxTruth>('tdx', '.dat').filter(([, , negative]) => !negative);

    it.each(quotes)('%s is what TRUTH.json says', (path, truth) => {
      const atMs = Date.parse(truth.tcb?.issueDate ?? '2026-01-01');
      const collateral =
        truth.tcb === undefined ? undefined : readCollateral([vector(`${path}.collateral.json`)]);
      const { checks, claims } = judgeTdx({ quote: vector(path), atMs, collateral });
      const { td, pck: platform, tcb } = truth;
      expect(claims).toMatchObject({
        ...td,
        version: truth.version,
        qe_vendor_id: truth.qe_vendor_id,
        user_data: truth.user_data,
        td_debug: truth.td_debug,
        fmspc: platform.fmspc,
        pce_id: platform.pceid,
        sgx_tcb_components: platform.tcb_comp,
        pck_pce_svn: platform.pcesvn,
        ...(tcb === undefined ? {} : { tcb_status: tcb.level?.[0] ?? null }),
        ...(tcb?.level ? { tcb_date: tcb.level[1] } : {}),
        ...(tcb?.tdx_module ? { module_status: tcb.tdx_module[1] } : {}),
        ...(tcb?.qe ? { qe_status: tcb.qe[0] } : {}),
      });
      const expected = path === SPR_E4 ? 'contraindicated' : 'warning'; // no policy: never affirming
      expect(verdictOf(checks)).toBe(expected);
      if (truth.trailing > 0) expect(checks[0]?.text).toContain(`${truth.trailing} bytes follow`);
    });

    it('reads Intel’s single answers and lists as one collateral', () => {
      const files = [
        '_sample_qeIdentity_response',
        '_pckcrl',
        '_rootcrl.der',
        '_v4_SPR_E4.dat.collateral.json',
      ];
      const collateral = readCollateral(files.map((name) => vector(`tdx/gotdx${name}`)));
      const { checks, claims } = judgeTdx({
        quote: vector(SPR_E4),
        atMs: Date.UTC(2023, 6, 1),
        collateral,
      });
      expect(claims).toMatchObject({ tcb_status: null, qe_status: 'UpToDate' });
      const unchecked = checks
        .filter(({ result }) => result === 'not checked')
        .map(({ name }) => name);
      expect(unchecked.filter((name) => /revocation|TCB|QE/.test(name))).toEqual([]);
    });

    it('ties a quote to the event log of its domain', () => {
      const replayed = replayRtmrs(vector('ccel/cos-113-intel-tdx.bin')).rtmrs;
      const atMs = Date.UTC(2026, 0, 1);
      const own = judgeTdx({ quote: vector('tdx/cos-113-tdx-quote.dat'), atMs, replayed });
      expect(own.checks.at(-1)).toMatchObject({ name: 'event log', result: 'pass' });
      const other = judgeTdx({ quote: vector('tdx/phala_uptodate.dat'), atMs, replayed });
      expect(other.checks.at(-1)).toMatchObject({ name: 'event log', result: 'fail' });
    });

    it('is out of date long after', () => {
      const { checks, claims } = judgeTdx({ quote: vector(SPR_E4), atMs: Date.UTC(2053, 0, 1) });
      expect(verdictOf(checks)).toBe('contraindicated');
      expect(claims).toEqual({});
    });
  },
);
