// `tidelock evidence nitro`: judges the attestation document of an AWS Nitro enclave, offline. It reads
// files and prints; attest/nitro/ judges.
import type { Terminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { AWS_NITRO_ROOT } from '#attest/nitro/chain.ts';
import { MAX_NITRO_BYTES } from '#attest/nitro/document.ts';
import { judgeNitro } from '#attest/nitro/judge.ts';
import { readNitroPolicy, type NitroPolicy } from '#attest/nitro/policy.ts';
import { hexFlag } from './hexFlag.ts';
import { parseInput } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';

const VERB = 'evidence nitro';
const MAX_POLICY_BYTES = 1 << 20;
const DIGEST_BYTES = 32;

/** `tidelock evidence nitro`. */
export const evidenceNitro = defineVerb({
  name: VERB,
  operands: { form: '<file>', min: 1, max: 1 },
  flags: {
    at: {
      type: 'string',
      value: 'TIME',
      help: 'judge it as of this time, 2026-01-31T12:00:00Z or Unix seconds; now by default',
    },
    policy: { type: 'string', value: 'FILE', help: 'accepted register values and debug mode' },
    nonce: { type: 'string', value: 'HEX', help: 'what the document must carry as its nonce' },
    'root-digest': {
      type: 'string',
      value: 'HEX',
      help: 'SHA-256 of the root certificate; that of AWS by default',
    },
  },
  about:
    'Checks the attestation document of an AWS Nitro enclave, or of the NitroTPM of an instance: signature, certificate chain up to the pinned AWS root, dates, debug mode, and the registers and the nonce that are asked for. Its certificate lives for three hours: judge an archived document as of its own time with --at. Without a policy or without a nonce the verdict is a warning at best. A file named - is standard input.',
  example:
    'tidelock evidence nitro document.cbor --nonce 8f3a92c1\ntidelock evidence nitro archived.cbor --at 2024-09-07T14:37:40Z --policy nitro-policy.json -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const terms = {
      atMs: readMoment(flags.at, VERB),
      root: hexFlag(VERB, 'root-digest', flags['root-digest'] ?? AWS_NITRO_ROOT, DIGEST_BYTES),
      nonce: flags.nonce === undefined ? undefined : hexFlag(VERB, 'nonce', flags.nonce),
      policy: await policyIn(terminal, flags.policy),
    };
    const from = { ...terminal, path: operands[0] ?? '', what: 'Nitro attestation document' };
    const judged = await parseInput(from, MAX_NITRO_BYTES, (bytes) => judgeNitro(bytes, terms));
    return printJudged(invocation, 'Nitro', judged);
  },
});

async function policyIn(
  terminal: Terminal,
  path: string | undefined,
): Promise<NitroPolicy | undefined> {
  if (path === undefined) return undefined;
  return parseInput({ ...terminal, path, what: 'Nitro policy' }, MAX_POLICY_BYTES, readNitroPolicy);
}
