// `tidelock policy check`: holds the boot of a node against a reference policy that an owner signed.
import { readMoment } from '#agent/cli/evidence/moment.ts';
import { printJudged } from '#agent/cli/evidence/judged.ts';
import { notChecked, type Check } from '#attest/check.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { judgeBoot } from '#attest/policy/judge.ts';
import { readLog, readOwners, readPcrs, readSignedPolicy } from './policyFiles.ts';
import { defineVerb } from './verb.ts';

const VERB = 'policy check';

/** `tidelock policy check`. */
export const policyCheck = defineVerb({
  name: VERB,
  operands: { form: '<policy>', min: 1, max: 1 },
  flags: {
    owner: {
      type: 'strings',
      value: 'FILE',
      required: true,
      help: 'owner.pub that the reader trusts; may be repeated',
    },
    eventlog: { type: 'string', value: 'FILE', required: true, help: 'event log of the boot' },
    pcrs: {
      type: 'string',
      value: 'FILE',
      help: 'values that the TPM holds: {"sha256":{"0":"hex"}}; without them nothing passes',
    },
    at: { type: 'string', value: 'TIME', help: 'judge as of then; now by default' },
  },
  about:
    'Holds an event log, and the register values that it must replay to, against a reference policy of an owner, register by register, and names every event that is not enrolled. The values are taken as given: tidelock evidence quote shows whether a TPM signed them. Ends with 0 for affirming and warning, 3 for contraindicated and none.',
  example:
    'tidelock policy check reference.json --owner owner/owner.pub --eventlog binary_bios_measurements --pcrs pcrs.json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const { cwd } = terminal;
    const atMs = readMoment(flags.at, VERB);
    const owners = await readOwners(cwd, flags.owner);
    const policy = await readSignedPolicy(cwd, operands[0] ?? '', owners);
    const log = await readLog(cwd, flags.eventlog);
    const quoted =
      flags.pcrs === undefined
        ? replay(log, policy.bank)
        : await readPcrs(cwd, flags.pcrs, policy.bank);
    const checks = [
      ...judgeBoot({ policy, log, quoted, atMs }),
      flags.pcrs === undefined ? NO_VALUES : TAKEN_AS_GIVEN,
    ];
    return printJudged(invocation, 'PolicyCheck', { checks, claims: {} });
  },
});

/** A log alone says nothing of a machine. */
const NO_VALUES: Check = notChecked(
  'PCR values',
  'None were given (--pcrs): the log was only compared with itself, and anybody could have written it.',
  'none',
);

const TAKEN_AS_GIVEN: Check = notChecked(
  'PCR values',
  'Taken as given; tidelock evidence quote shows whether the TPM of this node signed them.',
);
