// `tidelock init`: makes an owner, off the cluster: the key pair and the attestation policy signed by
// it. It never overwrites a file, because what a lost key has signed can never be renewed.
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { EXIT } from '#agent/base/codes.ts';
import { configSchema } from '#agent/configSchema.ts';
import { fileExists, writeNew } from '#agent/newFile.ts';
import { readOwnerKey, writeOwner } from '#agent/owner.ts';
import { signPolicy, type PolicyChoices } from '#attest/policy.ts';
import { DEFAULT_MANDATORY } from '#proxy/chips/registry.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import { registerList } from './registers.ts';
import { defineVerb, type Flags, type FlagValues } from './verb.ts';

const FLAGS = {
  domain: { type: 'string', value: 'DOMAIN', required: true, help: 'trust domain' },
  cluster: { type: 'string', value: 'NAME', required: true, help: 'name of the cluster' },
  out: {
    type: 'string',
    value: 'DIR',
    help: 'where the files go; the working directory by default',
  },
  owner: {
    type: 'string',
    value: 'FILE',
    help: 'sign a new policy with this owner.key, make none',
  },
  bank: { type: 'string', value: 'sha256|sha384', help: 'PCR bank; sha256 by default' },
  enforce: { type: 'string', value: 'PCRS', help: 'registers that must match; 0-7,11 by default' },
  warn: { type: 'string', value: 'PCRS', help: 'registers that only warn; none by default' },
  'min-period-ms': { type: 'string', value: 'MS', help: 'shortest epoch; 5000 by default' },
} as const satisfies Flags;

/** `tidelock init`. */
export const init = defineVerb({
  name: 'init',
  flags: FLAGS,
  about:
    'Makes the owner of a cluster: owner.key (keep it off the cluster), owner.pub (name it in every configuration) and the signed attestation-policy.json. Overwrites nothing.',
  example: 'tidelock init --domain example.org --cluster prod --out ./owner',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const dir = resolve(terminal.cwd, flags.out ?? '.');
    const existing = flags.owner === undefined ? undefined : resolve(terminal.cwd, flags.owner);
    const files = {
      key: existing ?? join(dir, 'owner.key'),
      public: join(dir, 'owner.pub'),
      policy: join(dir, 'attestation-policy.json'),
    };
    const written = existing === undefined ? Object.values(files) : [files.policy];
    await refuseExisting(written);
    const key = existing === undefined ? generateSigningKey() : await readOwnerKey(existing);
    const policy = signPolicy(policyChoices(flags), key);
    if (existing === undefined) await writeOwner(files.key, files.public, key);
    await writeNew(files.policy, policy);
    printResult(
      invocation,
      'Init',
      { keyId: key.keyId, written, policy: policy.payload },
      [
        `owner ${key.keyId}`,
        ...written.map((file) => `wrote ${file}`),
        existing === undefined ? 'Keep owner.key off the cluster, and a copy of it.' : '',
      ]
        .filter(Boolean)
        .join('\n'),
    );
    return EXIT.ok;
  },
});

/** Before anything is made, so that a refusal leaves nothing half done. */
async function refuseExisting(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const there = await stat(file).catch(() => undefined);
    if (there) throw fileExists(file);
  }
}

/** Errors: USAGE with everything that is wrong, so that one correction is enough. */
function policyChoices(flags: FlagValues<typeof FLAGS>): PolicyChoices {
  const problems: string[] = [];
  const named = configSchema
    .pick({ domain: true, cluster: true })
    .safeParse({ domain: flags.domain, cluster: flags.cluster });
  for (const { path, message } of named.error?.issues ?? []) {
    problems.push(`--${String(path[0])} ${message}`);
  }
  const bank = flags.bank ?? 'sha256';
  const isBank = bank === 'sha256' || bank === 'sha384';
  if (!isBank) problems.push(`--bank is ${JSON.stringify(bank)} and must be sha256 or sha384`);
  const minPeriodMs = Number(flags['min-period-ms'] ?? 5_000);
  if (!Number.isInteger(minPeriodMs) || minPeriodMs < 1_000 || minPeriodMs > 30_000) {
    problems.push('--min-period-ms must be from 1000 to 30000');
  }
  const enforce = registerList('--enforce', flags.enforce ?? '0-7,11', problems);
  const warn = registerList('--warn', flags.warn ?? '', problems);
  const both = enforce.filter((pcr) => warn.includes(pcr));
  if (both.length > 0) problems.push(`PCR ${both.join()} is in both --enforce and --warn`);
  if (problems.length === 0 && enforce.length + warn.length === 0) {
    problems.push('no PCR is asked for at all');
  }
  if (problems.length > 0 || !isBank) throw usage('init', problems.join('; '));
  return {
    domain: flags.domain,
    cluster: flags.cluster,
    issuedAt: Date.now(),
    algorithms: [...DEFAULT_MANDATORY],
    bank,
    enforce,
    warn,
    periodMs: { min: minPeriodMs, max: 30_000 },
  };
}
