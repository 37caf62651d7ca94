// `tidelock evidence tdx`: judges a quote of an Intel TDX trust domain, offline. It reads files and
// prints; attest/tdx/ judges.
import { readOwners } from '#agent/cli/policyFiles.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { guestPolicy } from '#attest/policy/guest.ts';
import { replayRtmrs } from '#attest/eventlog/ccel.ts';
import { MAX_COLLATERAL_BYTES, readCollateral, type Collateral } from '#attest/tdx/collateral.ts';
import { judgeTdx } from '#attest/tdx/judge.ts';
import { MAX_POLICY_BYTES, readTdxPolicy } from '#attest/tdx/policy.ts';
import { MAX_QUOTE_BYTES } from '#attest/tdx/quote.ts';
import { parseInput, type Input } from './input.ts';
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
    'Checks a quote of an Intel TDX trust domain, version 4 or 5: every signature up to the Intel SGX Root CA, revocation, TCB level, TDX module and quoting enclave by the collateral, debug and attributes, and the measurements that the policy names. Ends with 0 for the verdicts affirming and warning, 3 for contraindicated and none, 4 for what is no quote. Collateral counts for some 30 days: judge an archived quote as of its own time with --at. Without collateral and without a policy the verdict is a warning at best. A file named - is standard input.',
  example:
    'tidelock evidence tdx quote.dat --collateral collateral.json --policy tdx-policy.json\ntidelock evidence tdx archived.dat --collateral collateral.json --at 2025-06-20 --ccel ccel.bin -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const atMs = readMoment(flags.at, VERB);
    const from = (path: string, what: string): Input => ({ ...terminal, path, what });
    const owners = await readOwners(terminal.cwd, flags.owner);
    const collateral = await collateralIn(
      flags.collateral.map((path) => from(path, 'TDX collateral')),
    );
    const policy =
      flags.policy === undefined
        ? undefined
        : await parseInput(from(flags.policy, 'TDX policy'), MAX_POLICY_BYTES, (bytes) =>
            readTdxPolicy(guestPolicy(bytes, 'tdx', owners)),
          );
    const replay =
      flags.ccel === undefined
        ? undefined
        : await parseInput(from(flags.ccel, 'CCEL event log'), MAX_CCEL_BYTES, replayRtmrs);
    const judgement = await parseInput(
      from(operands[0] ?? '', 'TDX quote'),
      MAX_QUOTE_BYTES,
      (quote) => judgeTdx({ atMs, quote, collateral, policy, replayed: replay?.rtmrs }),
    );
    return printJudged(invocation, 'Tdx', judgement);
  },
});

async function collateralIn(inputs: readonly Input[]): Promise<Collateral | undefined> {
  const files: Buffer[] = [];
  for (const input of inputs) {
    files.push(await parseInput(input, MAX_COLLATERAL_BYTES, collateralFile));
  }
  return files.length === 0 ? undefined : readCollateral(files);
}

/** Each is read by itself too, which tells the one that is malformed. */
function collateralFile(bytes: Buffer): Buffer {
  readCollateral([bytes]);
  return bytes;
}
