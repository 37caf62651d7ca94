// Checks of what people wrote for this node: configuration, inventory, access policies, and the two
// documents that owners sign.
import { counted } from '#agent/base/counted.ts';
import { EXIT } from '#agent/base/codes.ts';
import { configWarnings } from '#agent/configWarnings.ts';
import { ENROL_REMEDY } from '#agent/ownerDocuments.ts';
import { readPolicies } from '#agent/policy/files.ts';
import { pass, warn, type Check } from './check.ts';

const config: Check = {
  id: 'config',
  title: 'configuration',
  explanation: {
    looksAt: 'The configuration file, the environment and the flags, judged by the one schema.',
    neededFor: 'Everything that follows.',
    usualCause: 'A misspelt setting, a value out of its range, or the wrong file.',
    remedy: 'Correct the fields named; tidelock config check repeats this check alone.',
  },
  exit: EXIT.usage,
  needs: [],
  run: async (context) => {
    const { node, domain, cluster, ...rest } = await context.config();
    const text = `${node} of ${cluster} in ${domain}`;
    const warnings = configWarnings({ node, domain, cluster, ...rest });
    return warnings.length === 0
      ? pass(text)
      : warn(
          `${text}; ${warnings.join('; ')}`,
          'These settings are allowed and not advisable for production.',
          'Change them, or leave them where this is intended.',
        );
  },
};

const policy: Check = {
  id: 'policy',
  title: 'attestation policy',
  explanation: {
    looksAt:
      'attestation.policyFile: both signatures under the configured owners, cluster, period.',
    neededFor: 'It says which registers every node must show; an agent does not start without it.',
    usualCause:
      'The file is missing, a byte of it was changed, or it was signed by an owner who is not among `owners`.',
    remedy: 'Fetch the policy again from the owners, or add the signer’s owner.pub to `owners`.',
  },
  exit: EXIT.notVerified,
  needs: ['config'],
  run: async (context) => {
    const { policyFile } = (await context.config()).attestation;
    const { bank, enforce, warn: warned } = (await context.policy()).policy;
    const registers = `enforces PCR ${enforce.join(',')}${warned.length > 0 ? `, warns of ${warned.join(',')}` : ''}`;
    return pass(`${policyFile} is signed by an owner; ${registers} in ${bank}`);
  },
};

const enrolment: Check = {
  id: 'enrolment',
  title: 'enrolment',
  explanation: {
    looksAt:
      'attestation.enrolmentFile: both signatures under the configured owners, node, cluster.',
    neededFor: 'It binds this node’s name to its TPM; no peer believes a node without it.',
    usualCause: 'The node was not enrolled yet, or the file is another node’s or another owner’s.',
    remedy: ENROL_REMEDY,
  },
  exit: EXIT.notVerified,
  needs: ['config'],
  run: async (context) => {
    const { enrolment: enrolled, endorsedBy } = await context.enrolment();
    const { issuedAt, reference } = enrolled;
    const by =
      endorsedBy.length === 0 ? 'signed by an owner' : `endorsed by ${endorsedBy.join(' and ')}`;
    const at = new Date(issuedAt).toISOString().slice(0, 10);
    return pass(
      `${by} on ${at}, ${Object.keys(reference.pcrs).length} reference values in ${reference.bank}`,
    );
  },
};

const inventory: Check = {
  id: 'inventory',
  title: 'inventory',
  explanation: {
    looksAt: 'inventory.file, and whether each pod’s network namespace is found.',
    neededFor: 'Only pods of the inventory are captured.',
    usualCause: 'A pod has ended, or its path was written for another boot of the machine.',
    remedy: 'Correct the entries named; a running agent reads the file again by itself.',
  },
  exit: EXIT.usage,
  needs: ['config'],
  run: async (context) => {
    const { usualCause, remedy } = inventory.explanation;
    const pods = await context.pods();
    const lost = pods.flatMap(({ name, netns }) =>
      'problem' in netns ? [`${name}: ${netns.problem}`] : [],
    );
    return lost.length === 0
      ? pass(`${counted(pods.length, 'pod')} with a network namespace`)
      : warn(
          `${lost.length} of ${counted(pods.length, 'pod')}: ${lost.join('; ')}`,
          usualCause,
          remedy,
        );
  },
};

const access: Check = {
  id: 'access-policies',
  title: 'access policies',
  explanation: {
    looksAt: 'Every ServiceAccessPolicy in policy.files.',
    neededFor: 'What no rule allows is denied.',
    usualCause: 'A misspelt key, or a name that two policies have.',
    remedy: 'Correct the entries named; a running agent keeps the last good policies meanwhile.',
  },
  exit: EXIT.usage,
  needs: ['config'],
  run: async (context) => {
    const { files, mode } = (await context.config()).policy;
    const policies = await readPolicies(files);
    const rules = policies.reduce((sum, { spec }) => sum + spec.rules.length, 0);
    const text = `${counted(rules, 'rule')} in ${counted(policies.length, 'document')}, mode ${mode}`;
    return rules > 0 || mode === 'observe'
      ? pass(text)
      : warn(
          text,
          'No rule allows anything, so every connection of every pod is refused.',
          'Write a ServiceAccessPolicy and name it in policy.files.',
        );
  },
};

/** In the order in which a person would mend them. */
export const DOCUMENT_CHECKS: readonly Check[] = [config, policy, enrolment, inventory, access];
