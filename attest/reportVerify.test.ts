// Reports as an auditor gets them: a good one, and everything that may be wrong with one.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { generateSigningKey, signingKeyId } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { fromB64url, utf8, type Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { canonical, type Json } from '#agent/base/jcs.ts';
import { signDocument } from '#agent/base/signed.ts';
import {
  goodQuestion,
  reportBytes,
  reportFixture,
  reportOwner,
  signedReport,
} from '#attest/testdata/reportFixture.ts';
import { fixtureNodeKey } from '#attest/testdata/makeReport.ts';
import { flipped, hostile } from '#attest/testdata/hostile.ts';
import { ENROLMENT_KIND } from './enrolment.ts';
import { POLICY_KIND } from './policy.ts';
import { REPORT_KIND, reportText, type ReportRequest } from './report.ts';
import { MAX_REPORT_BYTES } from './reportOpen.ts';
import { verifyReport, type ReportAppraisal, type ReportQuestion } from './reportVerify.ts';

const stranger = generateSigningKey();
const { evidence, madeAtMs } = reportFixture;

const judge = (change: Partial<ReportQuestion> = {}): ReportAppraisal =>
  verifyReport({ ...goodQuestion, ...change });
const judgeSigned = (
  change: Partial<ReportRequest>,
  asked: Partial<ReportQuestion> = {},
): ReportAppraisal => judge({ ...asked, bytes: reportBytes(change) });
const named = ({ checks }: ReportAppraisal, result: string): string[] =>
  checks.filter((check) => check.result === result).map(({ name }) => name);
const textOf = ({ checks }: ReportAppraisal, name: string): string =>
  checks.find((check) => check.name === name)?.text ?? '';

/** A verdict, or the code of the one error that may be thrown. */
function outcome(bytes: Bytes): string {
  try {
    return verifyReport({ ...goodQuestion, bytes }).verdict;
  } catch (thrown) {
    if (!(thrown instanceof TidelockError)) throw thrown;
    return thrown.code;
  }
}

describe('verifyReport() of an honest report', () => {
  it('verifyReport() affirms it under its owner and roots, and says what it did not check', () => {
    const appraisal = judge();
    expect(appraisal.verdict).toBe('affirming');
    expect(named(appraisal, 'fail')).toEqual([]);
    expect(named(appraisal, 'not checked')).toEqual([
      'challenge',
      'IMA',
      'confidential computing',
      'TPM firmware',
      'revocation',
      'node facts',
    ]);
    expect(appraisal.told).toMatchObject({
      pcrs: evidence.pcrs,
      ekChain: ['CN=swtpm-localca', 'CN=swtpm-localca-rootca'],
    });
  });

  it('verifyReport() without an owner never affirms, and checks no link from AK to EK', () => {
    const appraisal = judge({ owners: [] });
    expect(appraisal.verdict).toBe('none');
    expect(named(appraisal, 'fail')).toEqual([]);
    expect(named(appraisal, 'not checked')).toEqual(
      expect.arrayContaining([
        'enrolment signature',
        'policy signature',
        'endorsement key',
        'attestation key',
        'AK belongs to EK',
        'PCR 0',
        'PCR 11',
      ]),
    );
    expect(named(appraisal, 'pass')).toEqual(
      expect.arrayContaining(['quote signature', 'nonce', 'PCR digest', 'event log']),
    );
  });

  it('verifyReport() finds the owner that signed among several', () => {
    expect(judge({ owners: [stranger.public, reportOwner] }).verdict).toBe('affirming');
  });

  it('verifyReport() contraindicates a report of other owners, and believes none of their words', () => {
    const appraisal = judge({ owners: [stranger.public] });
    expect(appraisal.verdict).toBe('contraindicated');
    expect(named(appraisal, 'fail')).toEqual(['enrolment signature', 'policy signature']);
    expect(named(appraisal, 'not checked')).toContain('AK belongs to EK');
  });

  it('verifyReport() takes no enrolment by the owner of one cluster for the policy of another’s', () => {
    const owners = [reportOwner, stranger.public];
    const policy = signDocument(POLICY_KIND, reportFixture.policy.payload, stranger);
    const enrolment = signDocument(ENROLMENT_KIND, reportFixture.enrolment.payload, stranger);
    for (const mixed of [
      judgeSigned({ policy }, { owners }),
      judgeSigned({ enrolment }, { owners }),
    ]) {
      expect(mixed.verdict).toBe('none');
      expect(named(mixed, 'fail')).toEqual(['owner']);
      expect(named(mixed, 'not checked')).toContain('AK belongs to EK');
      expect(textOf(mixed, 'owner')).toContain(stranger.keyId);
    }
    const one = judgeSigned({ policy, enrolment }, { owners });
    expect(one.verdict).toBe('affirming');
    expect(textOf(one, 'owner')).toBe(`Owner ${stranger.keyId} signed both, enrolment and policy.`);
  });

  it('verifyReport() takes documents that several owners signed for those of the one they share', () => {
    const owners = [stranger.public, reportOwner];
    const again = signDocument(POLICY_KIND, reportFixture.policy.payload, stranger);
    const signatures = [...again.signatures, ...reportFixture.policy.signatures];
    const appraisal = judgeSigned({ policy: { ...again, signatures } }, { owners });
    expect(appraisal.verdict).toBe('affirming');
    expect(textOf(appraisal, 'owner')).toContain(signingKeyId(reportOwner));
  });

  it('verifyReport() contraindicates an EK of a maker that is not among the roots', () => {
    const appraisal = judge({ authorities: [] });
    expect(named(appraisal, 'fail')).toEqual(['EK certificate chain']);
    expect(appraisal.verdict).toBe('contraindicated');
  });
});

describe('verifyReport() and time', () => {
  const lifetimeMs = 600_000;
  const { issuedAt } = z
    .object({ issuedAt: z.number() })
    .parse(JSON.parse(Buffer.from(evidence.statement, 'base64url').toString()));
  /** From the attestation back to the keys that it is of: what the TPM signed the time of. */
  const keysMs = issuedAt - madeAtMs;
  const authorities = undefined; // the certificates of the fixture are as young as its report

  it.each([
    ['at the end of its lifetime', lifetimeMs + keysMs, 'affirming', 'pass'],
    ['one millisecond later', lifetimeMs + keysMs + 1, 'none', 'fail'],
    ['before it was made, by less than clocks may differ', -60_000, 'affirming', 'pass'],
    ['before it was made', -60_001, 'none', 'fail'],
  ])('verifyReport() judges a report %s', (_, afterMs, verdict, result) => {
    const appraisal = judge({ authorities, at: madeAtMs + afterMs });
    expect(appraisal.verdict).toBe(verdict);
    expect(named(appraisal, result)).toContain('freshness');
  });

  it('verifyReport() takes no old quote as new, whatever time its stolen keys sign', () => {
    const laterMs = madeAtMs + 400 * 86_400_000;
    const appraisal = judgeSigned(
      { attestedAtMs: laterMs, issuedAtMs: laterMs },
      { authorities, at: 'now', nowMs: laterMs + 1_000 },
    );
    expect(appraisal.verdict).toBe('none');
    expect(named(appraisal, 'fail')).toEqual(['freshness']);
  });

  it('verifyReport() as of now affirms while the attestation counts, and never after', () => {
    const judgeAfter = (afterMs: number) =>
      judge({ authorities, at: 'now', nowMs: madeAtMs + afterMs });
    expect(judgeAfter(60_000)).toMatchObject({
      verdict: 'affirming',
      told: { asOf: { moment: 'now', ms: madeAtMs + 60_000 } },
    });
    const old = judgeAfter(93_784_000);
    expect(old.verdict).toBe('none');
    expect(named(old, 'fail')).toEqual(['freshness']);
    expect(textOf(old, 'freshness')).toMatch(/, 1 d 2 h before now; .*\(--at issued\)\.$/);
  });

  it('verifyReport() as of its signing tells how the node was, how long ago, and no more', () => {
    const appraisal = judge({ authorities, at: 'issued', nowMs: madeAtMs + 93_784_000 });
    expect(appraisal).toMatchObject({
      verdict: 'affirming',
      told: { asOf: { moment: 'issued', ms: madeAtMs + 2000 } },
    });
    const countsUntilMs = appraisal.told?.countsUntilMs ?? 0;
    expect(countsUntilMs).toBeLessThanOrEqual(madeAtMs + lifetimeMs); // as of the quote, not of the reading
    expect(countsUntilMs).toBeGreaterThan(madeAtMs);
    expect(named(appraisal, 'not checked')).toContain('freshness');
    expect(textOf(appraisal, 'freshness')).toMatch(
      /It was signed 1 d 2 h ago: what the node is now was not asked \(--at now\)\.$/,
    );
  });

  it('verifyReport() as of its signing finds a quote that no longer counted then', () => {
    const issuedAtMs = madeAtMs + lifetimeMs + 1;
    const asked = { authorities, at: 'issued', nowMs: madeAtMs + 93_784_000 } as const;
    const appraisal = judgeSigned({ issuedAtMs }, asked);
    expect(appraisal.verdict).toBe('none');
    expect(named(appraisal, 'fail')).toEqual(['freshness']);
  });

  it.each(['now', 'issued'] as const)(
    'verifyReport() as of %s gives no verdict on a report of tomorrow',
    (at) => {
      const nowMs = madeAtMs - 86_400_000;
      expect(judge({ authorities, at, nowMs }).verdict).toBe('none');
    },
  );

  it.each<[string, Partial<ReportRequest>]>([
    ['signed long before it was attested', { issuedAtMs: madeAtMs - 60_001 }],
    ['attested long before its statement was made', { attestedAtMs: madeAtMs - 61_001 }],
  ])('verifyReport() contraindicates a report %s', (_, change) => {
    expect(named(judgeSigned(change), 'fail')).toEqual(['statement']);
  });
});

describe('verifyReport() of a report changed after signing', () => {
  it('verifyReport() affirms none with a bit of any byte flipped', () => {
    const { bytes } = goodQuestion;
    const outcomes = new Set<string>();
    for (let i = 0; i < bytes.length; i += 19) outcomes.add(outcome(flipped(bytes, i, i % 8)));
    expect([...outcomes].toSorted()).toEqual(['DOCUMENT_MALFORMED', 'contraindicated']);
  });

  it('verifyReport() affirms none that was truncated, extended or overwritten', () => {
    fc.assert(
      fc.property(hostile(goodQuestion.bytes), (bytes) => {
        fc.pre(!Buffer.from(bytes).equals(goodQuestion.bytes));
        expect(['DOCUMENT_MALFORMED', 'contraindicated']).toContain(outcome(bytes));
      }),
      { numRuns: 150 },
    );
  });

  it('verifyReport() says what became of each signature, and looks at nothing else', () => {
    const other = { ...signedReport(), payload: signedReport({ domain: 'example.net' }).payload };
    const appraisal = judge({ bytes: utf8(reportText(other)) });
    expect(named(appraisal, 'fail')).toEqual([
      'report signature Ed25519',
      'report signature ML-DSA-65',
    ]);
    expect(appraisal).toMatchObject({ verdict: 'contraindicated', told: undefined });
  });

  it.each([0, 1])('verifyReport() needs signature %i as well as the other', (index) => {
    const document = signedReport();
    const foreign = signedReport({ facts: {} });
    const signatures = document.signatures.with(index, foreign.signatures[index]!);
    const appraisal = judge({ bytes: utf8(reportText({ ...document, signatures })) });
    expect(named(appraisal, 'fail')).toHaveLength(1);
    expect(appraisal.verdict).toBe('contraindicated');
  });

  it.each<[string, (text: string) => string]>([
    ['a space', (text) => text.replace('{', '{ ')],
    ['no line feed', (text) => text.trimEnd()],
    ['a second line feed', (text) => `${text}\n`],
    ['a member twice', (text) => text.replace('"v":1}\n', '"v":1,"v":1}\n')],
    ['bytes that are not UTF-8', (text) => text.replace('swtpm', 'sw\u{fffd}pm')],
  ])('verifyReport() finds %s, which says the same', (_, edit) => {
    const text = reportText(signedReport());
    expect(edit(text)).not.toBe(text);
    const bytes = Buffer.from(edit(text));
    const at = bytes.indexOf('\u{fffd}');
    if (at >= 0) bytes.fill(0xff, at, at + 3);
    expect(named(judge({ bytes }), 'fail')).toContain('report form');
  });

  it('verifyReport() finds another spelling of the same signature', () => {
    const document = signedReport();
    const [ed] = document.signatures;
    const sig = ed!.sig.slice(0, -1) + String.fromCharCode(ed!.sig.charCodeAt(85) + 1);
    expect(fromB64url(sig).equals(fromB64url(ed!.sig))).toBe(true);
    const signatures = document.signatures.with(0, { ...ed!, sig });
    const appraisal = judge({ bytes: utf8(reportText({ ...document, signatures })) });
    expect(named(appraisal, 'fail')).toEqual(['report signature Ed25519']);
  });

  it('verifyReport() finds a statement that no longer can be read', () => {
    const statement = `${evidence.statement.slice(0, 400)}_${evidence.statement.slice(401)}`;
    const document = signedReport({ evidence: { ...evidence, statement } });
    const appraisal = judge({ bytes: utf8(reportText(document)) });
    expect(appraisal).toMatchObject({ verdict: 'contraindicated', told: undefined });
  });

  it.each<[string, (text: string) => string]>([
    ['a member more', (text) => text.replace(/\}\n$/, ',"w":1}\n')],
    ['a signature more', (text) => text.replace(/\],"v":1\}\n$/, ',{}],"v":1}\n')],
    ['a quotation mark less', (text) => text.replace('"v":1}\n', 'v":1}\n')],
    ['half of it missing', (text) => text.slice(0, text.length / 2)],
  ])('verifyReport() contraindicates a report with %s', (_, edit) => {
    const appraisal = judge({ bytes: utf8(edit(reportText(signedReport()))) });
    expect(named(appraisal, 'fail')).toEqual(['report form']);
    expect(appraisal).toMatchObject({ verdict: 'contraindicated', told: undefined });
  });

  it.each([
    ['a document of another kind', canonical(reportFixture.policy)],
    ['JSON that is no document', '{}'],
    ['nothing', ''],
  ])('verifyReport() calls %s malformed', (_, text) => {
    expect(outcome(utf8(`${text}\n`))).toBe('DOCUMENT_MALFORMED');
  });

  it('verifyReport() refuses what is too large or too deep before it parses it', () => {
    const deep = (n: number): Bytes => utf8(`${'['.repeat(n)}${']'.repeat(n)}\n`);
    expect(() => judge({ bytes: deep(500_000) })).toThrow('nested over 16 deep');
    expect(() => judge({ bytes: Buffer.alloc(MAX_REPORT_BYTES + 2, '\n') })).toThrow(
      'over 1048576',
    );
    expect(() => judge({ bytes: new Uint8Array() })).toThrow('not JSON');
  });
});

describe('verifyReport() of a report whose signer lies', () => {
  const other = {
    ...evidence,
    challenge: { ...evidence.challenge, random: evidence.challenge.random.replace(/^../, 'AA') },
  };

  it.each<[string, Partial<ReportRequest>, string]>([
    ['the name of another node', { node: 'node-b' as NodeName }, 'statement'],
    ['another cluster', { cluster: 'prod' }, 'statement'],
    ['another statement id', { sid: '0'.repeat(32) as Sid }, 'statement'],
    ['other PCR values', withPcr(4, 'ab'.repeat(32)), 'PCR digest'],
    ['another challenge', { evidence: other }, 'nonce'],
    ['an enrolment that is none', { enrolment: { a: 1 } }, 'enrolment signature'],
    ['a policy that is an enrolment', { policy: reportFixture.enrolment }, 'policy signature'],
    ['an enrolment with other values', { enrolment: forgedEnrolment() }, 'enrolment signature'],
  ])('verifyReport() does not affirm one with %s', (_, change, failing) => {
    const appraisal = judgeSigned(change);
    expect(appraisal.verdict).not.toBe('affirming');
    expect(named(appraisal, 'fail')).toContain(failing);
  });

  it('verifyReport() contraindicates keys that the TPM did not speak for', () => {
    const appraisal = judge({ bytes: reportBytes({}, stranger) });
    expect(named(appraisal, 'fail')).toEqual([
      'report signature Ed25519',
      'report signature ML-DSA-65',
    ]);
  });

  it('verifyReport() contraindicates a cuckoo: own keys in the statement, the quote of another', () => {
    const statement = canonical({
      ...(JSON.parse(fromB64url(evidence.statement).toString()) as { [key: string]: Json }),
      nonce: Buffer.alloc(16, 9).toString('base64url'),
    });
    const bytes = reportBytes({
      evidence: { ...evidence, statement: Buffer.from(statement).toString('base64url') },
    });
    expect(named(judge({ bytes }), 'fail')).toEqual(['statement', 'nonce']);
  });

  it('verifyReport() calls a signed payload that is no report malformed', () => {
    const payload = { evidence: { statement: evidence.statement }, more: 1 };
    const bytes = utf8(reportText(signDocument(REPORT_KIND, payload, fixtureNodeKey)));
    expect(outcome(bytes)).toBe('DOCUMENT_MALFORMED');
  });

  it('verifyReport() ends in one verdict or error whatever a signer puts in each field', () => {
    const fields = Object.keys(signedReport().payload as object);
    fc.assert(
      fc.property(fc.constantFrom(...fields), fc.jsonValue({ maxDepth: 3 }), (field, value) => {
        const payload = { ...(signedReport().payload as object), [field]: value as Json };
        const bytes = utf8(reportText(signDocument(REPORT_KIND, payload, fixtureNodeKey)));
        const harmless = field === 'facts' && outcome(bytes) === 'affirming';
        if (!harmless) expect(['DOCUMENT_MALFORMED', 'contraindicated']).toContain(outcome(bytes));
      }),
      { numRuns: 100 },
    );
  });
});

function withPcr(pcr: number, value: string): Partial<ReportRequest> {
  return { evidence: { ...evidence, pcrs: { ...evidence.pcrs, [pcr]: value } } };
}

function forgedEnrolment(): Json {
  const { enrolment } = reportFixture;
  return { ...enrolment, payload: { ...enrolment.payload, akName: '0'.repeat(68) } };
}
