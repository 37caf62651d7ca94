// `tidelock policy diff`: what another node, or this one after an update, measures that a reference policy
// does not have. It compares and decides nothing.
import { EXIT } from '#agent/base/codes.ts';
import { counted } from '#agent/base/counted.ts';
import { readMoment } from '#agent/cli/evidence/moment.ts';
import { differences } from '#attest/policy/difference.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import { readLog, readPolicyText } from './policyFiles.ts';
import { defineVerb } from './verb.ts';

const VERB = 'policy diff';

/** `tidelock policy diff`. */
export const policyDiff = defineVerb({
  name: VERB,
  operands: { form: '<policy>', min: 1, max: 1 },
  flags: {
    eventlog: { type: 'string', value: 'FILE', required: true, help: 'event log to compare with' },
    at: { type: 'string', value: 'TIME', help: 'compare as of then; now by default' },
  },
  about:
    'Says component by component what an event log has that a reference policy, signed or a draft, does not, and the other way round: what a new node or an update would change. Ends with 0 when the policy allows that boot, 3 when it does not.',
  example: 'tidelock policy diff reference.json --eventlog updated.bin',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const { cwd } = terminal;
    const policy = await readPolicyText(cwd, operands[0] ?? '');
    const log = await readLog(cwd, flags.eventlog);
    if (!log.banks.includes(policy.bank)) {
      const state = `the log speaks for ${log.banks.join(', ')}, the policy for ${policy.bank}`;
      throw usage(VERB, state);
    }
    const found = differences(policy, log, readMoment(flags.at, VERB));
    const lines = found.map(({ kind, text }) => `${kind.padEnd(9)}  ${text}`);
    const count = found.length === 0 ? 'no difference' : counted(found.length, 'difference');
    const document = { policy: policy.name, bank: policy.bank, differences: found };
    printResult(invocation, 'PolicyDiff', document, [...lines, count].join('\n'));
    return found.length === 0 ? EXIT.ok : EXIT.notVerified;
  },
});
