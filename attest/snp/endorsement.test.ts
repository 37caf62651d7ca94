import type { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import type { Verdict } from '#attest/check.ts';
import { trustVector } from '#attest/trustVector.ts';
import {
  makeCertificate,
  makeKeys,
  makeRevocationList,
  type Issuer,
} from '#attest/testdata/certificate.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { MADE_CHIP, MADE_TCB, makeSnpReport } from '#attest/testdata/snp.ts';
import { judgeSnp, SNP_WHEN } from '#attest/testdata/snpJudge.ts';
import { parseCrl } from '#attest/x509/crl.ts';
import { readCertificates } from './certificates.ts';
import type { SnpPolicy } from './policy.ts';
import { SNP_REPORT_BYTES } from './report.ts';

const DAY_MS = 86_400_000;
const ASK_SERIAL = 1;

describe('judgeEndorsement()', () => {
  const made = makeSnpReport();
  const other = makeSnpReport({ product: 'Genoa' });
  const [vek, ask, ark] = [made.vek.x509, made.ask.x509, made.ark.x509];
  const judgedWith = (certificates: readonly X509Certificate[], policy?: Partial<SnpPolicy>) =>
    judgeSnp({ ...made, certificates }, policy);

  it('knows nothing without a certificate, and says where to get it once (trap 10)', () => {
    const { verdict, claims, text } = judgedWith([]);
    expect([verdict, claims]).toEqual(['none', {}]);
    expect(text('endorsement key')).toContain(
      `https://kdsintf.amd.com/vcek/v1/Milan/${hex(MADE_CHIP)}?blSPL=4&teeSPL=2&snpSPL=22&ucodeSPL=213`,
    );
    const turin = judgeSnp({ ...makeSnpReport({ product: 'Turin' }), certificates: [] });
    expect(turin.text('endorsement key')).toContain(
      `/Turin/${hex(MADE_CHIP.subarray(0, 8))}?fmcSPL=1&blSPL=4&teeSPL=2&snpSPL=22&ucodeSPL=213`,
    );
    const vlek = judgeSnp({ ...makeSnpReport({ kind: 'VLEK' }), certificates: [] });
    expect(vlek.text('endorsement key')).toContain('/vlek/v1/Milan/cert_chain');
  });

  it.each<[string, readonly X509Certificate[]]>([
    ['the chain', [vek]],
    ['the root', [vek, ask]],
  ])('knows nothing without %s', (_, certificates) => {
    const { checks, claims, failed, verdict } = judgedWith(certificates);
    expect(claims).toEqual({});
    expect(failed).toEqual([]);
    expect(verdict).toBe('none');
    expect(trustVector(checks)).toEqual({ hardware: 0 });
  });

  it('fails a chain of another product, and one with a link missing among others', () => {
    for (const chain of [
      [vek, other.ask.x509, other.ark.x509],
      [vek, ask, other.ark.x509],
      [vek, ark],
    ]) {
      expect(judgedWith(chain)).toMatchObject({ failed: ['certificate chain'], claims: {} });
    }
  });

  it('fails a root that is neither AMD’s nor one of the policy’s', () => {
    const { failed, claims, verdict } = judgedWith(made.certificates, { roots: [other.root] });
    expect(failed).toEqual(['AMD root']);
    expect([claims, verdict]).toEqual([{}, 'contraindicated']);
  });

  it('fails an intermediate of the right name that the root did not sign', () => {
    const keys = makeKeys('P-384');
    const rogue = makeCertificate({ subject: made.ark.subject, keys, ca: true });
    const forged = makeCertificate({ subject: made.ask.subject, keys, issuer: rogue, ca: true });
    for (const chain of [
      [vek, forged.x509, ark],
      [vek, ask, rogue.x509],
    ]) {
      const { failed, claims, text } = judgedWith(chain);
      expect(failed).toContain('certificate chain');
      expect(claims).toEqual({});
      expect(text('certificate chain')).toContain('does not verify');
    }
  });

  it.each<[string, Issuer, number, readonly number[], readonly string[]]>([
    ['accepts an intermediate that is not on the list', made.ark, 1, [ASK_SERIAL + 1], []],
    ['fails one that AMD took back', made.ark, 1, [ASK_SERIAL], ['revocation']],
    ['fails a list that is due for renewal', made.ark, -1, [], ['revocation']],
    ['fails a list of another root', other.ark, 1, [], ['revocation']],
  ])('%s', (_, issuer, days, revoked, failing) => {
    const list = makeRevocationList({
      issuer,
      thisUpdateMs: SNP_WHEN - 30 * DAY_MS,
      nextUpdateMs: SNP_WHEN + days * DAY_MS,
      revoked,
    });
    const { failed, claims } = judgeSnp(made, {}, [parseCrl(list)]);
    expect(failed).toEqual(failing);
    expect(Object.keys(claims).length === 0).toBe(failing.length > 0);
  });

  it('goes by the newest of several lists, and by what any of them takes back', () => {
    const list = (ageDays: number, leftDays: number, revoked: readonly number[]) =>
      parseCrl(
        makeRevocationList({
          issuer: made.ark,
          thisUpdateMs: SNP_WHEN - ageDays * DAY_MS,
          nextUpdateMs: SNP_WHEN + leftDays * DAY_MS,
          revoked,
        }),
      );
    const clean = list(20, 10, []);
    for (const [lists, failing] of [
      [[clean, list(1, 30, [ASK_SERIAL])], ['revocation']],
      [[clean, list(40, 10, [ASK_SERIAL])], ['revocation']],
      [[clean, list(40, -1, [])], []],
    ] as const) {
      expect(judgeSnp(made, {}, lists).failed).toEqual(failing);
      expect(judgeSnp(made, {}, lists.toReversed()).failed).toEqual(failing);
    }
  });

  it('takes the certificates in any order, and the VEK that signed among several', () => {
    const stale = makeSnpReport({ certified: { tcb: { ...MADE_TCB, microcode: 1 } } });
    expect(judgedWith([ark, ask, vek]).failed).toEqual([]);
    expect(judgedWith([vek, stale.vek.x509, ask, ark]).failed).toEqual([]);
  });

  it('trusts no certificate that was altered, whichever of the chain', () => {
    for (const [index, { der }] of [made.vek, made.ask, made.ark].entries()) {
      fc.assert(
        fc.property(hostile(der), (bytes) => {
          const altered = outcome((each) => readCertificates(each, 'chain'), bytes);
          if (altered === 'malformed' || altered[0]?.raw.equals(der) === true) return;
          const chain = made.certificates.flatMap((each, at) => (at === index ? altered : [each]));
          expect(judgedWith(chain).claims).toEqual({});
        }),
      );
    }
  });

  it('states no claim of a report with one bit flipped anywhere (trap 6)', () => {
    const survivors: number[] = [];
    for (let index = 0; index < SNP_REPORT_BYTES; index += 1) {
      const { verdict, claims } = judgeSnp({
        ...made,
        report: flipped(made.report, index, index % 8),
      });
      const good: readonly Verdict[] = ['affirming', 'warning'];
      const stated = index < 0x330 && Object.keys(claims).length > 0; // the rest is not signed
      if (good.includes(verdict) || stated) survivors.push(index);
    }
    expect(survivors).toEqual([]);
  });
});
