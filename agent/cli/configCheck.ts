// `tidelock config check`: everything that is wrong with a configuration and with the files it names,
// at once, without starting anything. What cannot be used hides nothing that can be judged without it.
import { access } from 'node:fs/promises';
import { EXIT } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { effectiveConfig, judgeConfig, type Config, type SoundSections } from '#agent/config.ts';
import { configWarnings } from '#agent/configWarnings.ts';
import { readInventory } from '#agent/inventory/file.ts';
import { serviceName } from '#agent/inventory/services.ts';
import {
  readAttestationPolicy,
  readOwnDelegation,
  readOwnEnrolment,
  readReference,
} from '#agent/ownerDocuments.ts';
import { readPolicies } from '#agent/policy/files.ts';
import { missingFiles } from './configFiles.ts';
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
    const judged = await judgeConfig(sources);
    const sections = 'config' in judged ? judged.config : judged.sections;
    const { failures, warnings } = await judgeAll([
      ...('config' in judged ? judgeWhole(judged.config) : []),
      ...judgeFiles(sections),
    ]);
    const missing = await missingFiles(sections);
    const all = [...warnings, ...missing];
    const lines = all.map((warning) => `warning: ${warning}`);
    if (!('config' in judged)) throw together([judged.refusal, ...failures], lines);
    const [first, ...others] = failures;
    if (first) throw together([first, ...others], lines);
    const isReady = missing.length === 0;
    printResult(
      invocation,
      'ConfigCheck',
      { ok: true, ready: isReady, warnings: all, config: effectiveConfig(judged.config) },
      [`${sources.file} is good${isReady ? '' : ', but not ready to run'}`, ...lines].join('\n'),
    );
    return EXIT.ok;
  },
});

/** What one part deserves to be warned of; rejects with what is wrong with it. */
type Judgement = Promise<readonly string[]>;

/** What needs the whole configuration: its own warnings, and the documents that owners signed for it. */
const judgeWhole = (config: Config): Judgement[] => {
  const { policyFile, enrolmentFile, delegationFile } = config.attestation;
  return [
    Promise.resolve(configWarnings(config)),
    ifThere(policyFile, () => readOwnersPolicies(config)),
    ifThere(enrolmentFile, () => readOwnEnrolment(config)),
    ...(delegationFile === undefined ? [] : [delegationOf(config, delegationFile)]),
  ];
};

/** What can be read as soon as it is known where it is. */
const judgeFiles = ({
  inventory,
  policy,
}: Pick<SoundSections, 'inventory' | 'policy'>): Judgement[] => [
  ...(inventory ? [idleServices(inventory.file)] : []),
  ...(policy ? [readPolicies(policy.files).then(() => [])] : []),
];

async function idleServices(file: string): Judgement {
  const { services } = await readInventory(file);
  const idle = services.filter(({ endpoints }) => endpoints.length === 0).map(serviceName);
  return idle.map((name) => `${file}: ${name} has no endpoints, connections to it are reset`);
}

/** The attestation policy, and the reference policy that must fit it. */
async function readOwnersPolicies(config: Config): Promise<void> {
  const { policy } = await readAttestationPolicy(config);
  const { referenceFile } = config.attestation;
  if (referenceFile !== undefined) {
    await ifThere(referenceFile, () => readReference(config, policy));
  }
}

async function delegationOf(config: Config, file: string): Judgement {
  const warnings: string[] = [];
  await ifThere(file, async () => {
    const own = await readOwnDelegation(config);
    const until = own?.delegation.until ?? 0;
    if (until >= Date.now()) return;
    warnings.push(
      `${file} ended ${new Date(until).toISOString()}: nobody is enrolled under it any more`,
    );
  });
  return warnings;
}

/** On a machine that is being prepared a file may come later; `missingFiles` tells of it. */
async function ifThere(file: string, read: () => Promise<unknown>): Judgement {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere) await read();
  return [];
}

async function judgeAll(judgements: readonly Judgement[]) {
  const failures: TidelockError[] = [];
  const warnings: string[] = [];
  for (const result of await Promise.allSettled(judgements)) {
    if (result.status === 'fulfilled') warnings.push(...result.value);
    else if (result.reason instanceof TidelockError) failures.push(result.reason);
    else throw result.reason;
  }
  return { failures, warnings };
}

/** One error is reported, with the first one's code and what all of them say. */
function together(
  failures: readonly [TidelockError, ...TidelockError[]],
  warnings: readonly string[],
): TidelockError {
  const [{ code, op }] = failures;
  return new TidelockError(code, {
    op,
    message: [...failures.map(({ message }) => message), ...warnings].join('\n'),
    hint: [...new Set(failures.map(({ hint }) => hint))].join(' '),
  });
}
