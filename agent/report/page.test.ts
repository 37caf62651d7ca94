// The page of a report: what it shows, that it stands alone, and that nothing in a report becomes markup.
import { hash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { goodQuestion, reportBytes, reportOwner } from '#attest/testdata/reportFixture.ts';
import { verifyReport, type ReportAppraisal, type ReportQuestion } from '#attest/reportVerify.ts';
import { meaningOf, registerOf } from './claims.ts';
import { safe } from './html.ts';
import { reportPage } from './page.ts';

const judged = (change: Partial<ReportQuestion> = {}): ReportAppraisal =>
  verifyReport({ ...goodQuestion, ...change });
const page = (change: Partial<ReportQuestion> = {}): string => {
  const question = { ...goodQuestion, ...change };
  return reportPage(verifyReport(question), question.owners);
};
const changed = Buffer.from(Buffer.from(goodQuestion.bytes).toString().replace('swtpm', 'Swtpm'));

/** Tags of a page in order, without their attributes; the style sheet is no markup. */
const tags = (text: string): string[] =>
  text.replace(/<style>[^<]*/, '<style>').match(/<[^>]*>/g) ?? [];

describe('reportPage()', () => {
  it('reportPage() says the verdict before anything else', () => {
    expect(page()).toMatch(/<h1>Attestation report of node-a<\/h1>[^]{0,200}<strong>✓ Affirming</);
    expect(page({ owners: [] })).toContain('<strong>– No verdict</strong>');
    expect(page({ authorities: [] })).toContain('<strong>✕ Contraindicated</strong>');
  });

  it('reportPage() shows every claim, and what each means', () => {
    const text = page();
    for (const { name } of judged().checks) {
      if (registerOf(name) !== undefined) continue;
      expect(text).toContain(`<th scope="row">${name}</th>`);
      expect(meaningOf(name).meaning, name).not.toBe('');
    }
  });

  it('reportPage() shows quoted and enrolled values side by side', () => {
    const { pcrs = {} } = judged().told ?? {};
    expect(Object.keys(pcrs)).toContain('7');
    for (const value of Object.values(pcrs)) expect(page()).toContain(`<code>${value}</code>`);
    expect(page()).toContain('PCR 7 (Secure Boot policy)');
  });

  it('reportPage() shows nothing of what a changed report says', () => {
    const text = page({ bytes: changed });
    expect(text).toContain('<strong>✕ Contraindicated</strong>');
    expect(text).not.toContain('node-a');
    expect(text).not.toContain('<h2>Registers</h2>');
  });

  it('reportPage() has no script and names nothing to fetch', () => {
    const text = page();
    expect(text).not.toMatch(/<(?:script|link|img|iframe|object|embed|base|form|a)\b/i);
    expect(text).not.toMatch(/\b(?:src|href|on[a-z]+)\s*=|url\(|@import/i);
  });

  it('reportPage() allows its own style sheet and nothing else', () => {
    const [, style = ''] = /<style>([^]*?)<\/style>/.exec(page()) ?? [];
    expect(style.length).toBeGreaterThan(1000);
    expect(page()).toContain(
      `content="default-src 'none'; style-src 'sha256-${hash('sha256', style, 'base64')}'"`,
    );
  });

  it('reportPage() keeps its structure whatever the node says of itself', () => {
    const build = (value: string) => ({
      bytes: reportBytes({ facts: { host: { system: value } } }),
    });
    const usual = tags(page(build('swtpm')));
    const hostile = fc.oneof(
      fc.string({ maxLength: 60, unit: 'binary' }),
      fc.constantFrom(
        '</code><script>alert(1)</script>',
        '"><img src=x onerror=alert(1)>',
        '<!--',
        '</style>',
        '&lt;b&gt;',
        "' onmouseover='x",
      ),
    );
    fc.assert(
      fc.property(hostile, (value) => {
        expect(tags(page(build(value.toWellFormed())))).toEqual(usual);
      }),
      { numRuns: 60 },
    );
  });

  it('reportPage() tells how to verify again under the same moment', () => {
    const { at, nowMs } = goodQuestion;
    const again = (ms: number) => `--at ${new Date(ms).toISOString()}</pre>`;
    expect(page()).toContain(again(Number(at)));
    expect(page({ at: 'now' })).toContain(again(nowMs));
    expect(page({ at: 'issued' })).toContain('--at issued</pre>');
    expect(page({ bytes: changed })).toContain('--roots ek-roots</pre>');
    expect(page({ owners: [reportOwner] })).toContain(judged().digest);
  });

  it('reportPage() says as of when the node was judged, and who chose that', () => {
    expect(page({ at: 'now' })).toMatch(/judged as of [-0-9T:.]+Z, the time of this judgement\./);
    expect(page({ at: 'issued' })).toMatch(/judged as of [-0-9T:.]+Z, when it was signed, by/);
  });
});

describe('safe', () => {
  it('safe escapes every value that is not markup, and only once', () => {
    expect(
      safe`<p title="${`a"b'c`}">${'<&>`'}${safe`<b>${'<'}</b>`}${[safe`<i></i>`]}</p>`.markup,
    ).toBe('<p title="a&quot;b&#39;c">&lt;&amp;&gt;&#96;<b>&lt;</b><i></i></p>');
  });

  it('safe leaves no control and no bidirectional character', () => {
    expect(safe`${'a\u202eb\u0000c\u2066\u200bd\te\n'}`.markup).toBe(
      'a\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}d\te\n',
    );
  });

  it('safe gives every text back to whoever parses it', () => {
    const named: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"' };
    const parse = (markup: string): string =>
      markup.replace(/&(?:#(\d+)|(\w+));/g, (_, code?: string, name?: string) =>
        code === undefined ? (named[name ?? ''] ?? '') : String.fromCodePoint(Number(code)),
      );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }), (text) => {
        const { markup } = safe`${text}`;
        expect(markup).not.toMatch(/[<>"'`]/);
        expect(parse(markup)).toBe(text);
      }),
    );
  });
});
