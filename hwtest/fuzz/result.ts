// What a fuzz run found, as a document and as a table. Pure.
import { hex } from '#agent/base/bytes.ts';
import type { Tally } from './protocol.ts';
import type { TargetResult } from './run.ts';

export interface FuzzResult {
  readonly kind: 'FuzzResult';
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
  /** Of processor time, every thread: less than a core that others use as well. */
  readonly cpuSeconds: number;
  /** Most resident MiB of the whole process. */
  readonly residentMib: number;
  readonly targets: readonly (Partial<Tally> & { readonly target: string })[];
  readonly findings: readonly {
    readonly target: string;
    readonly failure: string;
    readonly text: string;
    /** Hex of the smallest input that fails. */
    readonly input: string;
  }[];
}

/** `results` as the document that `-o json` prints. */
export const fuzzResult = (
  results: readonly TargetResult[],
  run: Pick<FuzzResult, 'seed' | 'seconds' | 'cpuSeconds' | 'residentMib'>,
): FuzzResult => ({
  kind: 'FuzzResult',
  ...run,
  inputs: results.reduce((sum, { tally }) => sum + (tally?.inputs ?? 0), 0),
  targets: results.map(({ target, tally }) => ({ target, ...tally })),
  findings: results
    .flatMap(({ findings }) => findings)
    .map((finding) => ({ ...finding, input: hex(finding.input) })),
});

const HEAD = [
  'target',
  'inputs',
  'parsed',
  'refused',
  'kept',
  'slowest ms',
  'inputs/s',
  'heap MiB',
];

/** One row a target, then what was found. */
export function fuzzText(result: FuzzResult): string {
  const rows = result.targets.map(
    ({ target, inputs, parsed, refused, kept, slowestMs, seconds, heapMib }) => [
      target,
      count(inputs),
      count(parsed),
      count(refused),
      count(kept),
      slowestMs?.toFixed(1) ?? 'ended',
      inputs !== undefined && seconds !== undefined ? count(inputs / seconds) : '',
      heapMib?.toFixed(0) ?? '',
    ],
  );
  const findings = result.findings.map(
    ({ target, failure, text, input }) =>
      `${target} ${failure}: ${text}\n  input ${input.slice(0, 400)} (${input.length / 2} bytes)`,
  );
  const { inputs, seconds, cpuSeconds, residentMib, seed } = result;
  return [
    ...aligned([HEAD, ...rows]),
    '',
    `${count(inputs)} inputs in ${seconds.toFixed(0)} s (${cpuSeconds.toFixed(0)} s of processor time), at most ${residentMib.toFixed(0)} MiB resident, seed ${seed}`,
    findings.length === 0 ? 'no finding' : `${findings.length} findings:`,
    ...findings,
  ].join('\n');
}

const count = (value: number | undefined): string =>
  value === undefined ? '' : Math.round(value).toLocaleString('en');

/** The first column to the left, figures to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  );
}
