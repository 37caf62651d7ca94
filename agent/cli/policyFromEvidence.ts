// `tidelock policy from-evidence`: makes a reference policy out of golden nodes' event logs or reports, or
// adds to one that exists. Whether a node is golden is for its owner to know; golden.ts reads them.
import { resolve } from 'node:path';
import type { SigningKey } from '#agent/base/asymmetric.ts';
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { counted } from '#agent/base/counted.ts';
import { readMoment } from '#agent/cli/evidence/moment.ts';
import { writeNew } from '#agent/newFile.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { IMA_PCR, policyBank, type PolicyBank } from '#attest/owned.ts';
import { addBoot, composeComponents } from '#attest/policy/compose.ts';
import {
  readPolicyDraft,
  registersOf,
  signReferencePolicy,
  type ReferencePolicy,
} from '#attest/policy/document.ts';
import { usage } from './arguments.ts';
import { goldenLogs, goldenReports, type Golden } from './golden.ts';
import { outFile } from './outFile.ts';
import { printResult } from './output.ts';
import { readOwners, readPolicyText, readSignedPolicy } from './policyFiles.ts';
import { registerList } from './registers.ts';
import { defineVerb, type Flags, type FlagValues } from './verb.ts';

const VERB = 'policy from-evidence';

const FLAGS = {
  eventlog: {
    type: 'strings',
    value: 'FILE',
    help: 'event log of a golden node; may be repeated',
  },
  pcrs: {
    type: 'strings',
    value: 'FILE',
    help: 'values that the node’s TPM holds, one file a log: the log must replay to them',
  },
  report: {
    type: 'strings',
    value: 'FILE',
    help: 'report of a golden node, whose TPM signed the values; may be repeated',
  },
  owner: {
    type: 'strings',
    value: 'FILE',
    help: 'owner.pub that vouches for the nodes of --report; may be repeated',
  },
  out: { type: 'string', value: 'FILE', required: true, help: 'where to write' },
  name: { type: 'string', value: 'NAME', help: 'name of the policy; reference by default' },
  bank: { type: 'string', value: 'sha256|sha384|sha512', help: 'PCR bank; sha256 by default' },
  enforce: { type: 'string', value: 'PCRS', help: 'registers that must match; 0-7,11 by default' },
  warn: { type: 'string', value: 'PCRS', help: 'registers that only warn; all others by default' },
  base: {
    type: 'string',
    value: 'POLICY',
    help: 'add to this policy instead of making one; with --owner-key one of that owner',
  },
  'not-before': {
    type: 'string',
    value: 'TIME',
    help: 'with --base: announce what is added, to count from then on',
  },
  'owner-key': { type: 'string', value: 'FILE', help: 'owner.key that signs; a draft without it' },
} as const satisfies Flags;

/** `tidelock policy from-evidence`. */
export const policyFromEvidence = defineVerb({
  name: VERB,
  flags: FLAGS,
  about:
    'Makes a reference policy out of event logs or reports of golden nodes: ordered components, with an alternative for each node that measured something else. With --base it adds alternatives to a policy that exists, at once or announced for a later day, so that an update is no failure. Without --owner-key it writes a draft, to be read, completed and signed with tidelock policy sign. Overwrites nothing.',
  example:
    'tidelock policy from-evidence --eventlog node-a.bin --eventlog node-b.bin --out reference.json --owner-key owner/owner.key\ntidelock policy from-evidence --base reference.json --eventlog updated.bin --not-before 2026-12-01 --out next.json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const { cwd } = terminal;
    const file = await outFile(cwd, flags.out);
    const key = flags['owner-key'];
    const owner = key === undefined ? undefined : await readOwnerKey(resolve(cwd, key));
    const base = await baseOf(flags.base, owner, cwd);
    const choices = choicesOf(flags, base);
    const registers = base === undefined ? [] : registersOf(base).map(([pcr]) => pcr);
    const wanted = { cwd, bank: choices.bank, registers };
    const golden = [
      ...(await goldenLogs(flags.eventlog, flags.pcrs, wanted)),
      ...(await goldenReports(flags.report, await readOwners(cwd, flags.owner), wanted)),
    ];
    const policy = readPolicyDraft({
      ...(base ?? newPolicy(golden, choices)),
      ...(flags.name === undefined ? {} : { name: flags.name }),
      issuedAt: systemClock.wallMs(),
      components: componentsOf(golden, base, choices),
    });
    await writeNew(file, owner === undefined ? policy : signReferencePolicy(policy, owner));
    const alternatives = policy.components.flatMap((component) => component.alternatives);
    const unproven = golden.filter(({ proven }) => !proven).map(({ note }) => note);
    const caution =
      unproven.length === 0
        ? []
        : [
            `not checked: that ${unproven.join(', ')} replay to what a TPM holds (--pcrs); hold the policy against a quote of the node before it is used`,
          ];
    printResult(
      invocation,
      'ReferencePolicy',
      { file, owner: owner?.keyId ?? null, policy, unproven },
      [
        `${policy.components.length} components with ${alternatives.length} alternatives, from ${counted(golden.length, 'boot')} in ${policy.bank}`,
        ...caution,
        owner === undefined
          ? `wrote ${file}, a draft: sign it with tidelock policy sign`
          : `wrote ${file}, signed by ${owner.keyId}`,
      ].join('\n'),
    );
    return EXIT.ok;
  },
});

/** What is signed at once must have been signed before; a draft is read by a person first. */
async function baseOf(
  path: string | undefined,
  owner: SigningKey | undefined,
  cwd: string,
): Promise<ReferencePolicy | undefined> {
  if (path === undefined) return undefined;
  return owner === undefined
    ? readPolicyText(cwd, path)
    : readSignedPolicy(cwd, path, [owner.public]);
}

interface Choices {
  readonly bank: PolicyBank;
  readonly enforce: readonly number[];
  /** undefined: all other registers of the logs. */
  readonly warn: readonly number[] | undefined;
  readonly notBefore: number | undefined;
}

/** Errors: USAGE with everything that is wrong. */
function choicesOf(flags: FlagValues<typeof FLAGS>, base: ReferencePolicy | undefined): Choices {
  const problems: string[] = [];
  const bank = policyBank.safeParse(flags.bank ?? base?.bank ?? 'sha256');
  if (!bank.success)
    problems.push(`--bank is ${JSON.stringify(flags.bank)} and must be sha256, sha384 or sha512`);
  const enforce = registerList('--enforce', flags.enforce ?? '0-7,11', problems);
  const warn = flags.warn === undefined ? undefined : registerList('--warn', flags.warn, problems);
  const both = enforce.filter((pcr) => warn?.includes(pcr));
  if (both.length > 0) problems.push(`PCR ${both.join()} is in both --enforce and --warn`);
  const fixed = [flags.bank, flags.enforce, flags.warn].some((flag) => flag !== undefined);
  if (base !== undefined && fixed) {
    problems.push('--bank, --enforce and --warn are those of the policy in --base');
  }
  if (base === undefined && flags['not-before'] !== undefined) {
    problems.push('--not-before announces something to a policy: --base is missing');
  }
  const { pcrs, eventlog } = flags;
  if (pcrs.length > 0 && pcrs.length !== eventlog.length) {
    problems.push(
      `${pcrs.length} --pcrs and ${eventlog.length} --eventlog: one for each is wanted`,
    );
  }
  if (eventlog.length + flags.report.length === 0) {
    problems.push('--eventlog FILE or --report FILE is missing');
  }
  if (problems.length > 0 || !bank.success) throw usage(VERB, problems.join('; '));
  const since = flags['not-before'];
  const notBefore = since === undefined ? undefined : readMoment(since, VERB, 'not-before');
  return { bank: bank.data, enforce, warn, notBefore };
}

function newPolicy(
  golden: readonly Golden[],
  { bank, enforce, warn }: Choices,
): Omit<ReferencePolicy, 'issuedAt' | 'components'> {
  const logged = new Set(golden.flatMap(({ log }) => [...replay(log, bank).keys()]));
  const others = warn ?? [...logged].filter((pcr) => pcr !== IMA_PCR && !enforce.includes(pcr));
  const mode = (pcrs: readonly number[], word: 'enforce' | 'warn') =>
    pcrs.filter((pcr) => logged.has(pcr)).map((pcr) => [String(pcr), word] as const);
  const registers = Object.fromEntries([...mode(enforce, 'enforce'), ...mode(others, 'warn')]);
  return { v: 1, name: 'reference', bank, registers };
}

const componentsOf = (
  golden: readonly Golden[],
  base: ReferencePolicy | undefined,
  { bank, notBefore }: Choices,
): ReferencePolicy['components'] =>
  base === undefined
    ? composeComponents(golden, bank)
    : golden.reduce(
        (components, each) =>
          addBoot(components, each, { bank, ...(notBefore === undefined ? {} : { notBefore }) }),
        base.components,
      );
