// What came of verifying a report, in the three forms a reader takes it: a document, text, and the error
// that a verdict short of acceptable ends in. It judges nothing.
import { signingKeyId, type SigningPublic } from '#agent/base/asymmetric.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { oneLine, pairs, table } from '#agent/api/columns.ts';
import type { ReportAppraisal, Told } from '#attest/reportVerify.ts';
import { trustVector } from '#attest/trustVector.ts';

/** The payload of a `Verification` document, of a report judged under `owners`. */
export function verificationOf(
  appraisal: ReportAppraisal,
  owners: readonly SigningPublic[],
): object {
  const { verdict, checks, digest, told } = appraisal;
  const error = refusalOf(appraisal);
  return {
    verdict,
    vector: trustVector(checks),
    ...(error ? { error } : {}),
    report: { sha256: digest, ...(told ? { keyId: told.keyId } : {}) },
    ...(told
      ? {
          asOf: { moment: told.asOf.moment, time: isoTime(told.asOf.ms) },
          node: nodeOf(told),
          ...(told.owner === undefined ? {} : { owner: told.owner }),
          issuedAt: isoTime(told.body.issuedAt),
          attestedAt: isoTime(told.body.attestedAt),
          pcrs: told.pcrs,
          ekChain: told.ekChain,
        }
      : {}),
    owners: owners.map(signingKeyId),
    checks: checks.map(({ name, result, text }) => ({ name, result, text })),
  };
}

/** The same for a person: the verdict first, then every claim. */
export function verificationText(appraisal: ReportAppraisal): string {
  const { verdict, checks, digest, told } = appraisal;
  return [
    ...pairs([
      ['Verdict', `${verdict}${verdict === 'affirming' ? '' : `: ${whyOf(appraisal)}`}`],
      ...(told
        ? ([
            ['As of', asOfText(told)],
            ['Node', `${told.body.node}  (${told.body.domain}, cluster ${told.body.cluster})`],
            ['Owner', told.owner ?? 'none that was given vouches for it'],
            ['Attested', isoTime(told.body.attestedAt)],
          ] as const)
        : []),
      ['Report', `SHA-256 ${digest}`],
    ]),
    ...table(
      'Claims',
      ['result', 'claim', 'what was found'],
      checks.map(({ name, result, text }) => [result, name, text]),
    ),
    '',
  ].join('\n');
}

/** As of which moment the report was judged, and who chose it. */
export const asOfText = ({ asOf: { moment, ms } }: Told): string =>
  `${isoTime(ms)}, ${MOMENTS[moment]}`;

const MOMENTS: Readonly<Record<Told['asOf']['moment'], string>> = {
  now: 'the time of this judgement',
  issued: 'when it was signed, by the node’s own clock (--at issued)',
  given: 'as asked (--at)',
};

/** Why the report cannot be relied on; undefined for `affirming` and `warning`. */
export function refusalOf(appraisal: ReportAppraisal): TidelockError | undefined {
  const { verdict, told } = appraisal;
  if (verdict === 'affirming' || verdict === 'warning') return undefined;
  const why = whyOf(appraisal);
  if (told === undefined) {
    return new TidelockError('SIGNATURE_INVALID', {
      op: 'report.verify',
      message: 'Cannot accept attestation report: it was changed after signing',
      hint: why,
    });
  }
  return new TidelockError('REPORT_NOT_VERIFIED', {
    op: 'report.verify',
    message: `Cannot rely on the report of ${told.body.node}: its verdict is ${verdict}`,
    hint: why,
  });
}

/**
 * What keeps the verdict from being better, in the words of the first check that does, on one line that
 * steers no terminal: some of these words are the report's.
 */
export function whyOf({ verdict, checks }: ReportAppraisal): string {
  const limiting = checks.filter(({ ceiling }) => ceiling === verdict);
  const [first, ...others] = limiting;
  const more = others.length > 0 ? ` And: ${others.map(({ name }) => name).join(', ')}.` : '';
  return first ? oneLine(`${first.name}: ${first.text}${more}`) : '';
}

const nodeOf = ({ body: { node, domain, cluster, sid } }: Told): object => ({
  name: node,
  domain,
  cluster,
  sid,
});

const isoTime = (unixMs: number): string => new Date(unixMs).toISOString();
