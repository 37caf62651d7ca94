// `tidelock delegate`: an owner lets two agents enrol nodes of some names, with TPMs by some makers, in the boot state of a
// node that is known. The key is read and used here; it is neither copied nor kept.
import { resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { b64url } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { loadConfig, type Config } from '#agent/config.ts';
import { readDocument } from '#agent/documents.ts';
import { writeNew } from '#agent/newFile.ts';
import { readOwnerKey } from '#agent/owner.ts';
import {
  delegationSchema,
  MAX_EK_ROOTS,
  MAX_NAMES,
  signDelegation,
  type Delegation,
} from '#attest/delegation.ts';
import { readEnrolment, type Enrolment } from '#attest/enrolment.ts';
import { usage } from './arguments.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { ekRootsAt } from './ekRootsAt.ts';
import { outFile } from './outFile.ts';
import { printResult } from './output.ts';
import { requirePinned } from './pinned.ts';
import { timeSpanMs } from './timeSpan.ts';
import { defineVerb } from './verb.ts';

const USUAL = '30d';

/** `tidelock delegate`. */
export const delegate = defineVerb({
  name: 'delegate',
  flags: {
    ...CONFIG_FLAGS,
    owner: { type: 'string', value: 'FILE', required: true, help: 'owner.key that signs' },
    name: {
      type: 'strings',
      value: 'NAME',
      help: 'a node, or the beginning of its name and *; several times',
    },
    like: {
      type: 'string',
      value: 'FILE',
      help: 'enrolment of the node whose boot state is to be that of all; attestation.enrolmentFile by default',
    },
    roots: {
      type: 'string',
      value: 'PATH',
      help: 'roots and intermediates of the TPM makers; attestation.ekRoots by default',
    },
    for: { type: 'string', value: 'TIME', help: `how long, such as 12h or 7d; ${USUAL}` },
    out: { type: 'string', value: 'FILE', required: true, help: 'where to write' },
  },
  about:
    'Signs, as an owner, that two members together may enrol nodes of these names: each member convinces itself that the TPM is by one of these makers and holds the key that is to attest. Such a node must boot as the node of --like did. Give the file to every node as attestation.delegationFile: members endorse by it, new nodes ask by it, and nodes without it take enrolments by owners alone. Overwrites nothing.',
  example:
    "tidelock delegate --config /etc/tidelock/config.yaml --owner ./owner/owner.key --name 'worker-*' --roots ./maker --for 7d --out delegation.json",
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const at = (path: string): string => resolve(terminal.cwd, path);
    const names = [...new Set(flags.name)];
    if (names.length === 0) throw usage('delegate', 'it needs --name NAME, once or several times');
    if (names.length > MAX_NAMES) throw usage('delegate', `at most ${MAX_NAMES} times --name`);
    const lengthMs = timeSpanMs('delegate', flags.for ?? USUAL);
    const config = await loadConfig(configSources(flags, terminal));
    const out = await outFile(terminal.cwd, flags.out);
    const owner = await readOwnerKey(at(flags.owner));
    requirePinned(owner, config, 'delegate enrolment');
    const like = flags.like === undefined ? config.attestation.enrolmentFile : at(flags.like);
    const { reference } = await golden(like, config);
    const roots = flags.roots === undefined ? config.attestation.ekRoots : at(flags.roots);
    const ekRoots = await rootsOf(roots);
    const issuedAt = systemClock.wallMs();
    const { domain, cluster } = config;
    const until = issuedAt + lengthMs;
    const said: Delegation = {
      v: 1,
      domain,
      cluster,
      issuedAt,
      until,
      nodes: names,
      ekRoots: ekRoots.map(({ raw }) => b64url(raw)),
      reference,
    };
    const wrong = delegationSchema.safeParse(said).error?.issues[0];
    if (wrong) {
      const of = wrong.path[0] === 'nodes' ? `--name ${names[Number(wrong.path[1])]}` : roots;
      throw usage('delegate', `${of}: ${wrong.message}`);
    }
    await writeNew(out, signDelegation(said, owner));
    printResult(
      invocation,
      'Delegation',
      { file: out, owner: owner.keyId, delegation: said },
      [
        `two members may enrol ${names.join(', ')} of ${cluster} in ${domain} until ${new Date(until).toISOString()}`,
        ...ekRoots.map(({ subject }) => `  TPMs under ${(subject ?? '').replaceAll('\n', ', ')}`),
        `  booted as ${like} says: PCR ${Object.keys(reference.pcrs).join(', ')} in ${reference.bank}`,
        `wrote ${out}`,
      ].join('\n'),
    );
    return EXIT.ok;
  },
});

/** The enrolment whose values are to be those of all. Errors: those of readDocument and readEnrolment; CONFIG_INVALID. */
async function golden(file: string, config: Config): Promise<Enrolment> {
  const { owners, domain, cluster } = config;
  const enrolment = readEnrolment(await readDocument(file), owners);
  if (enrolment.domain === domain && enrolment.cluster === cluster) return enrolment;
  throw new TidelockError('CONFIG_INVALID', {
    op: 'delegate.like',
    message: `Cannot delegate enrolment as in ${file}: it is for ${enrolment.cluster} in ${enrolment.domain}, the configuration says ${cluster} in ${domain}`,
    hint: 'Give the enrolment of a node of this cluster.',
  });
}

/** Few, since every enrolment by two agents carries them. Errors: those of ekRootsAt, USAGE. */
async function rootsOf(path: string) {
  const { certificates } = await ekRootsAt(path);
  const distinct = new Map(certificates.map((each) => [each.fingerprint256, each]));
  if (distinct.size > 0 && distinct.size <= MAX_EK_ROOTS) return [...distinct.values()];
  throw usage(
    'delegate',
    `${path} holds ${distinct.size} certificates, and a delegation names from 1 to ${MAX_EK_ROOTS}: give those of the makers of these nodes with --roots`,
  );
}
