import { describe, expect, it } from 'vitest';
import { verdictOf } from '#attest/check.ts';
import { replayRtmrs } from '#attest/eventlog/ccel.ts';
import { noVectors, truths, vector } from '#attest/testdata/vectors.ts';
import { readCollateral } from './collateral.ts';
import { judgeTdx } from './judge.ts';

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
