// `tidelock evidence tdx`: judges a quote of an Intel TDX trust domain, offline. It reads files and
// prints; attest/tdx/ judges.
import type { Terminal } from '#agent/cli/terminal.ts';
import { readOwners } from '#agent/cli/policyFiles.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { guestPolicy } from '#attest/policy/guest.ts';
import { replayRtmrs } from '#attest/eventlog/ccel.ts';
import { MAX_COLLATERAL_BYTES, readCollateral, type Collateral } from '#attest/tdx/collateral.ts';
import { judgeTdx } from '#attest/tdx/judge.ts';
import { MAX_POLICY_BYTES, readTdxPolicy } from '#attest/tdx/policy.ts';
import { MAX_QUOTE_BYTES } from '#attest/tdx/quote.ts';
import { readInput } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';

const VERB = 'evidence tdx';
const MAX_CCEL_BYTES = 16 << 20;

/** `tidelock evidence tdx`. */
export const evidenceTdx = defineVerb({
  name: VERB,
  operands: { form: '<quote>', min: 1, max: 1 },
  flags: {
    collateral: {
      type: 'strings',
      value: 'FILE',
      help: 'TCB info, QE identity, revocation lists, issuer chains; may be repeated',
    },
    at: {
      type: 'string',
      value: 'TIME',
      help: 'judge it as of this time, 2026-01-31T12:00:00Z or Unix seconds; now by default',
    },
    policy: {
      type: 'string',
      value: 'FILE',
      help: 'reference values and floors; or a reference policy with a section tdx',
    },
    owner: {
      type: 'strings',
      value: 'FILE',
      help: 'owner.pub that may have signed a reference policy; may be repeated',
    },
    ccel: { type: 'string', value: 'FILE', help: 'event log of the domain, to explain the RTMRs' },
  },
  about:
    'Checks a quote of an Intel TDX trust domain, version 4 or 5: every signature up to the Intel SGX Root CA, revocation, TCB level, TDX module and quoting enclave by the collateral, debug and attributes, and the measurements that the policy names. Ends with 0 for the verdicts affirming and warning, 3 for contraindicated and none, 4 for what is no quote. Collateral counts for some 30 days: judge an archived quote as of its own time with --at. Without collateral and without a policy the verdict is a warning at best.',
  example:
    'tidelock evidence tdx quote.dat --collateral collateral.json --policy tdx-policy.json\ntidelock evidence tdx archived.dat --collateral collateral.json --at 2025-06-20 --ccel ccel.bin -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const file = reader(terminal);
    const judgement = judgeTdx({
      atMs: readMoment(flags.at, VERB),
      quote: await file(operands[0] ?? '', 'TDX quote', MAX_QUOTE_BYTES),
      collateral: await collateralIn(flags.collateral, file),
      policy:
        flags.policy === undefined
          ? undefined
          : readTdxPolicy(
              guestPolicy(
                await file(flags.policy, 'TDX policy', MAX_POLICY_BYTES),
                'tdx',
                await readOwners(terminal.cwd, flags.owner),
              ),
            ),
      replayed:
        flags.ccel === undefined
          ? undefined
          : replayRtmrs(await file(flags.ccel, 'CCEL event log', MAX_CCEL_BYTES)).rtmrs,
    });
    return printJudged(invocation, 'Tdx', judgement);
  },
});

type ReadFile = (path: string, what: string, maxBytes: number) => Promise<Buffer>;

const reader =
  ({ cwd }: Terminal): ReadFile =>
  (path, what, maxBytes) =>
    readInput({ cwd, path, what }, maxBytes);

async function collateralIn(
  paths: readonly string[],
  file: ReadFile,
): Promise<Collateral | undefined> {
  const files: Buffer[] = [];
  for (const path of paths) files.push(await file(path, 'TDX collateral', MAX_COLLATERAL_BYTES));
  return files.length === 0 ? undefined : readCollateral(files);
}
