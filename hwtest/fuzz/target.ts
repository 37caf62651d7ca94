// What the fuzzer feeds: a function of bytes that somebody else made, and good samples to begin from.
import { TidelockError } from '#agent/base/errors.ts';

export interface Target {
  /** `TPMS_ATTEST`, `SNP report judged`. */
  readonly name: string;
  /** Share of all inputs; the slow ones have the smaller. */
  readonly weight: number;
  /** True for a judge: it believes at least one of its samples. */
  readonly believes: boolean;
  /** At least one; read when the target is fuzzed. */
  readonly samples: () => readonly Buffer[];
  /**
   * Parses or judges. Errors: those of `isRefusal`; any other is a finding.
   * Returns what a judge believed of good evidence, as text; undefined when it believed nothing.
   */
  readonly feed: (bytes: Buffer) => string | undefined;
}

/** A target that only reads: what it returns is nobody's belief. */
export const parser = (
  name: string,
  samples: Target['samples'],
  parse: (bytes: Buffer) => unknown,
  weight = 10,
): Target => ({
  name,
  weight,
  believes: false,
  samples,
  feed: (bytes) => {
    parse(bytes);
    return undefined;
  },
});

/** A target that judges: `believed` is what it gives out as true, undefined when it gives out nothing. */
export const judge = (
  name: string,
  samples: Target['samples'],
  believed: Target['feed'],
  weight = 1,
): Target => ({ name, weight, believes: true, samples, feed: believed });

/** The belief of a judge that gives out claims: none when there are none. */
export const claimed = (claims: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(claims).length === 0 ? undefined : JSON.stringify(claims);

/** The last two are for documents of the owners' own: one that nobody signed, one that says nonsense. */
const ALLOWED: ReadonlySet<string> = new Set([
  'EVIDENCE_MALFORMED',
  'DOCUMENT_MALFORMED',
  'SIGNATURE_INVALID',
  'POLICY_INVALID',
]);

/** Whether a parser may end in this. */
export const isRefusal = (thrown: unknown): boolean =>
  thrown instanceof TidelockError && ALLOWED.has(thrown.code);
