// A report as a page that a person reads, prints and files: the verdict first, every claim in plain
// words, then what the report carries and how to verify it again. One file; no script, nothing fetched.
import { hash } from 'node:crypto';
import { signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import type { Check, Verdict } from '#attest/check.ts';
import type { ReportAppraisal } from '#attest/reportVerify.ts';
import { GROUPS, meaningOf, registerOf, type Group } from './claims.ts';
import { safe, type Html } from './html.ts';
import {
  certificateSection,
  factSection,
  registerSection,
  resultCell,
  signatureSection,
} from './sections.ts';
import { STYLE } from './style.ts';
import { asOfText, whyOf } from './verification.ts';

/** The page of an appraised report, as HTML text. Everything in it that the report wrote is escaped. */
export function reportPage(appraisal: ReportAppraisal, owners: readonly SigningPublic[]): string {
  const { told, checks } = appraisal;
  const title = told ? `Attestation report of ${told.body.node}` : 'Attestation report, changed';
  const page = safe`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src '${STYLE_HASH}'"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <style>${OWN_STYLE}</style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          <p class="dim">
            ${told ? `Domain ${told.body.domain}, cluster ${told.body.cluster}` : 'Nothing of what it says is shown.'}
          </p>
          ${verdictBanner(appraisal, owners)}${GROUPS.map((group) => claimSection(group, checks))}${
            told
              ? [
                  registerSection(told, checks),
                  certificateSection(told),
                  signatureSection(told),
                  factSection(told),
                ]
              : []
          }${againSection(appraisal)}
        </main>
      </body>
    </html>`;
  return page.markup;
}

const OWN_STYLE: Html = { markup: STYLE };
/** Lets this style sheet through and nothing else (CSP Level 3, 6.7.3.2). */
const STYLE_HASH = `sha256-${hash('sha256', STYLE, 'base64')}`;

const VERDICTS: Readonly<Record<Verdict, readonly [title: string, text: string]>> = {
  affirming: [
    '✓ Affirming',
    'The machine is the one that its owners enrolled, and it had started what they enrolled as good.',
  ],
  warning: [
    '! Warning',
    'The machine is the enrolled one, but something differs that its owners asked to be told of.',
  ],
  none: [
    '– No verdict',
    'What decides could not be checked. This says neither that the machine is good nor that it is bad.',
  ],
  contraindicated: ['✕ Contraindicated', 'Do not rely on this machine: something does not hold.'],
};

function verdictBanner(appraisal: ReportAppraisal, owners: readonly SigningPublic[]): Html {
  const { verdict, told } = appraisal;
  const [title, text] = VERDICTS[verdict];
  const why = verdict === 'affirming' ? '' : whyOf(appraisal);
  const attested = told
    ? `Attested ${isoTime(told.body.attestedAt)}, signed ${isoTime(told.body.issuedAt)}, judged as of ${asOfText(told)}. `
    : '';
  const trusted = owners.map(signingKeyId).join(', ');
  return safe`<section class="verdict ${verdict}" aria-label="Verdict">
    <strong>${title}</strong>
    <p>${text}</p>
    ${why === '' ? [] : [safe`<p>${why}</p>`]}
    <p>${attested}Judged under ${trusted === '' ? 'no owner at all' : `owner ${trusted}`}.</p>
  </section>`;
}

function claimSection(group: Group, checks: readonly Check[]): Html {
  const rows = checks
    .filter(({ name }) => registerOf(name) === undefined && meaningOf(name).group === group)
    .map(
      (check) =>
        safe`<tr>
          ${resultCell(check)}
          <th scope="row">${check.name}</th>
          <td>
            <span class="meaning">${meaningOf(check.name).meaning}</span
            ><span class="dim">${check.text}</span>
          </td>
        </tr>`,
    );
  if (rows.length === 0) return safe``;
  return safe`<h2>${group}</h2>
    <table>
      <thead>
        <tr>
          <th scope="col">Result</th>
          <th scope="col">Claim</th>
          <th scope="col">What it says, and what was found</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function againSection({ digest, told }: ReportAppraisal): Html {
  const at = told
    ? ` --at ${told.asOf.moment === 'issued' ? 'issued' : isoTime(told.asOf.ms)}`
    : '';
  return safe`<h2>Verify it again</h2>
    <p>
      This page proves nothing by itself. Take the report it was made from, the public key of an
      owner from a source that you trust, and on any machine, without network, run:
    </p>
    <pre>
sha256sum report.json   # ${digest}
tidelock verify report.json --owner owner.pub --roots ek-roots${at}</pre>`;
}

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();
