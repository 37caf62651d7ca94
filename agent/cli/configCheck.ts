// `tidelock config check`: everything that is wrong with a configuration and with the files it names,
// at once, without starting anything.
import { access, constants } from 'node:fs/promises';
import { EXIT } from '#agent/base/codes.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { configWarnings, effectiveConfig, loadConfig, type Config } from '#agent/config.ts';
import { readInventory } from '#agent/inventory/file.ts';
import { readAttestationPolicy, readOwnEnrolment, readReference } from '#agent/ownerDocuments.ts';
import { readPolicies } from '#agent/policy/files.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock config check`. */
export const configCheck = defineVerb({
  name: 'config check',
  flags: CONFIG_FLAGS,
  about:
    'Checks a configuration, its inventory, its policies and the owners’ signatures on attestation policy and enrolment, and that the files it names can be read. Starts and changes nothing.',
  example: 'tidelock config check --config /etc/tidelock/config.yaml',
  run: async (invocation) => {
    const sources = configSources(invocation.flags, invocation.terminal);
    const config = await loadConfig(sources);
    const warnings = [...configWarnings(config), ...(await unreadable(config))];
    const failures = await failuresOf([
      readInventory(config.inventory.file),
      readPolicies(config.policy.files),
      ifThere(config.attestation.policyFile, () => readOwnersPolicies(config)),
      ifThere(config.attestation.enrolmentFile, () => readOwnEnrolment(config)),
    ]);
    const [first, ...others] = failures;
    if (first) throw withOthers(first, others);
    const effective = effectiveConfig(config);
    printResult(
      invocation,
      'ConfigCheck',
      { ok: true, warnings, config: effective },
      [`${sources.file} is good`, ...warnings.map((warning) => `warning: ${warning}`)].join('\n'),
    );
    return EXIT.ok;
  },
});

/** The attestation policy, and the reference policy that must fit it. */
async function readOwnersPolicies(config: Config): Promise<void> {
  const { policy } = await readAttestationPolicy(config);
  const { referenceFile } = config.attestation;
  if (referenceFile !== undefined) {
    await ifThere(referenceFile, () => readReference(config, policy));
  }
}

/** Files that the agent will need; on a machine that is being prepared they may come later. */
async function unreadable(config: Config): Promise<string[]> {
  const { attestation, bus } = config;
  const files = {
    'attestation.ekRoots': attestation.ekRoots,
    'attestation.policyFile': attestation.policyFile,
    'attestation.enrolmentFile': attestation.enrolmentFile,
    'attestation.referenceFile': attestation.referenceFile,
    'bus.nkeySeedFile': bus.nkeySeedFile,
    'bus.credentialsFile': bus.credentialsFile,
    'bus.tls.caFile': bus.tls?.caFile,
    'bus.tls.certFile': bus.tls?.certFile,
    'bus.tls.keyFile': bus.tls?.keyFile,
  };
  const found = await Promise.all(
    Object.entries(files).map(async ([setting, file]) => {
      if (file === undefined) return [];
      return access(file, constants.R_OK).then(
        () => [],
        (cause: unknown) => [`${setting}: ${messageOf(cause)}`],
      );
    }),
  );
  return found.flat();
}

/** On a machine that is being prepared a file may come later; `unreadable` tells of it. */
const ifThere = (file: string, read: () => Promise<unknown>): Promise<unknown> =>
  access(file).then(read, () => undefined);

async function failuresOf(checks: readonly Promise<unknown>[]): Promise<TidelockError[]> {
  const results = await Promise.allSettled(checks);
  return results.flatMap((result) => {
    if (result.status === 'fulfilled') return [];
    if (result.reason instanceof TidelockError) return [result.reason];
    throw result.reason;
  });
}

/** One error is reported, so the messages of the others join the first one's. */
const withOthers = (first: TidelockError, others: readonly TidelockError[]): TidelockError =>
  new TidelockError(first.code, {
    op: first.op,
    message: [first, ...others].map((error) => error.message).join('\n'),
    hint: first.hint,
  });
