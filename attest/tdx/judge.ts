// Judges a TDX quote, offline and at a moment that the caller names: is it an Intel processor's word, how
// does the platform stand, and is the trust domain what owners expect. Bytes in, checks and claims out.
import type { Bytes } from '#agent/base/bytes.ts';
import { about, notChecked, pass, type Check } from '#attest/check.ts';
import type { Rtmrs } from '#attest/eventlog/ccel.ts';
import { INTEL, type TdxAnchors } from './anchors.ts';
import { claimsOf } from './claims.ts';
import type { Collateral } from './collateral.ts';
import { domainChecks } from './domainChecks.ts';
import { logCheck } from './logCheck.ts';
import { NO_POLICY, type TdxPolicy } from './policy.ts';
import { parseTdxQuote, type TdxQuote } from './quote.ts';
import { revocationChecks, sortLists } from './revocation.ts';
import { signatureChecks } from './signatureChecks.ts';
import { tcbChecks } from './tcbChecks.ts';

export interface TdxQuestion {
  readonly quote: Bytes;
  /** Unix milliseconds as of which certificates and collateral must count. */
  readonly atMs: number;
  readonly collateral?: Collateral | undefined;
  readonly policy?: TdxPolicy | undefined;
  /** What the event log of the domain accounts for. */
  readonly replayed?: Rtmrs | undefined;
  /** Intel's unless told. */
  readonly anchors?: TdxAnchors;
}

export interface TdxJudgement {
  readonly checks: readonly Check[];
  /** Empty unless the quote is the word of a processor that nobody took back. */
  readonly claims: Readonly<Record<string, unknown>>;
}

const NO_COLLATERAL: Collateral = {
  tcbInfo: undefined,
  qeIdentity: undefined,
  lists: [],
  certificates: [],
};

/** Errors: EVIDENCE_MALFORMED, for bytes that are no TDX quote and signed collateral that is none. */
export function judgeTdx(question: TdxQuestion): TdxJudgement {
  const { collateral = NO_COLLATERAL, policy = NO_POLICY, anchors = INTEL, atMs } = question;
  const quote = parseTdxQuote(question.quote);
  const { certificates } = collateral;
  const signed = signatureChecks({ quote, anchors, certificates, atMs });
  const checks = [formCheck(quote), ...signed.checks];
  const { chain } = signed;
  if (chain === undefined) return { checks: [...checks, UNJUDGED], claims: {} };
  const lists = sortLists(chain, collateral);
  const revocation = revocationChecks(chain, lists, atMs);
  const { platform } = chain;
  const { accept_tcb_status: accepted, min_tcb_evaluation_data_number: minEvaluation } = policy;
  const terms = { collateral, lists, anchors, atMs, accepted, minEvaluation };
  const enclave = quote.certification.report;
  const tcb = tcbChecks({ report: quote.report, enclave, platform, ...terms });
  const all = [
    ...checks,
    ...revocation.checks,
    ...tcb.checks,
    ...domainChecks(quote.report, policy),
    about('executables', logCheck(quote.report, question.replayed)),
  ];
  const { standing } = tcb;
  const claims = revocation.revoked ? {} : claimsOf({ quote, platform, standing });
  return { checks: all, claims };
}

const UNJUDGED = notChecked(
  'trust domain',
  'Platform, measurements and policy are not judged: the quote is not the word of an Intel processor.',
  'none',
);

function formCheck({ header, report, bodyType, trailingBytes }: TdxQuote): Check {
  const body = bodyType === undefined ? '' : `, body type ${bodyType}`;
  const tdx = report.later === undefined ? 'TDX 1.0' : 'TDX 1.5';
  const tail = trailingBytes === 0 ? '' : ` ${trailingBytes} bytes follow it, which nothing signs.`;
  return pass('quote form', `Version ${header.version}${body}, ${tdx} report.${tail}`);
}
