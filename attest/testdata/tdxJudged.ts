// Judges the TDX quotes of tests and tells in short what came of it. Nothing of the product imports it.
import { hex } from '#agent/base/bytes.ts';
import { verdictOf, type Check, type Verdict } from '#attest/check.ts';
import { readCollateral } from '#attest/tdx/collateral.ts';
import { judgeTdx, type TdxQuestion } from '#attest/tdx/judge.ts';
import { readTdxPolicy } from '#attest/tdx/policy.ts';
import {
  anchors,
  MADE_MS,
  MR_TD,
  REPORT_DATA,
  tdxCollateral,
  tdxQuote,
  type CollateralSpec,
  type QuoteSpec,
} from './tdx.ts';

/** What a judgement comes to. */
export interface TdxOutcome {
  readonly verdict: Verdict;
  /** Names of failing checks. */
  readonly failing: readonly string[];
  readonly text: (name: string) => string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Judges under the test root, as of when everything was made. */
export function judged(
  question: Omit<TdxQuestion, 'atMs'> & { readonly atMs?: number },
): TdxOutcome {
  const { checks, claims } = judgeTdx({ anchors, atMs: MADE_MS, ...question });
  const named = (name: string): Check | undefined => checks.find((check) => check.name === name);
  return {
    verdict: verdictOf(checks),
    failing: checks.filter(({ result }) => result === 'fail').map(({ name }) => name),
    text: (name) => named(name)?.text ?? 'no such check',
    claims,
  };
}

/** A policy of these members. */
export const policy = (members: object): ReturnType<typeof readTdxPolicy> =>
  readTdxPolicy(Buffer.from(JSON.stringify({ v: 1, ...members })));

/** The values of the domain that `tdxQuote` makes. */
export const ENROLLED = {
  mr_td: [hex(MR_TD)],
  rtmr0: ['a0'.repeat(48)],
  rtmr1: ['a1'.repeat(48)],
  rtmr2: ['a2'.repeat(48), 'ff'.repeat(48)],
  report_data: [hex(REPORT_DATA)],
};

/** Judges a quote with collateral and policy, all good unless told. */
export const withCollateral = (
  collateral: CollateralSpec = {},
  quote: QuoteSpec = {},
  asked: object = ENROLLED,
  atMs = MADE_MS,
): TdxOutcome =>
  judged({
    quote: tdxQuote(quote),
    collateral: readCollateral([tdxCollateral(collateral)]),
    policy: policy(asked),
    atMs,
  });
