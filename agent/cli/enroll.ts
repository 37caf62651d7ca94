// `tidelock enroll`: run once on a node, with the owner's key at hand, it looks at the node's TPM and
// signs what it found. The key is read and used here; it is neither copied nor kept.
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { run } from '#agent/base/run.ts';
import { loadConfig } from '#agent/config.ts';
import { readEventLog } from '#agent/eventLog.ts';
import { fileExists, writeNew } from '#agent/newFile.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { readAttestationPolicy } from '#agent/ownerDocuments.ts';
import { enrolNode } from '#attest/enrol.ts';
import { openTpm } from '#attest/tpm/tpm.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { ekRootsAt } from './ekRootsAt.ts';
import { printResult } from './output.ts';
import { requirePinned } from './pinned.ts';
import { defineVerb } from './verb.ts';

/** `tidelock enroll`. */
export const enroll = defineVerb({
  name: 'enroll',
  flags: {
    ...CONFIG_FLAGS,
    owner: { type: 'string', value: 'FILE', required: true, help: 'owner.key that signs' },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'where to write; attestation.enrolmentFile by default',
    },
  },
  about:
    'Checks the EK certificate and the attestation key of this node’s TPM, takes its PCR values as reference, and signs all of it as an owner. Run it once per node, in a state that is known to be good, with the key that signed the attestation policy: whoever verifies a report wants one owner behind both. Overwrites nothing.',
  example: 'tidelock enroll --config /etc/tidelock/config.yaml --owner ./owner/owner.key',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const config = await loadConfig(configSources(flags, terminal));
    const out =
      flags.out === undefined ? config.attestation.enrolmentFile : resolve(terminal.cwd, flags.out);
    if (await stat(out).catch(() => undefined)) throw fileExists(out);
    const owner = await readOwnerKey(resolve(terminal.cwd, flags.owner));
    requirePinned(owner, config, `enrol ${config.node}`);
    const { policy } = await readAttestationPolicy(config);
    const { certificates } = await ekRootsAt(config.attestation.ekRoots);

    await using tpm = openTpm({
      tcti: config.tpm.tcti,
      akHandle: config.tpm.akHandle,
      workDir: join(config.paths.runDir, 'tpm'),
      run,
    });
    const enrolled = await enrolNode({
      tpm,
      ekAuthorities: certificates,
      policy,
      eventLog: () => readEventLog(config.tpm.eventLog),
      owner,
      node: config.node,
      nowMs: Date.now(),
    });
    await writeNew(out, enrolled.document);
    const { document, checks, ekChain } = enrolled;
    printResult(
      invocation,
      'Enrolment',
      { file: out, owner: owner.keyId, enrolment: document.payload, ekChain, checks },
      [
        `enrolled ${config.node} of ${policy.cluster} in ${policy.domain}`,
        `  EK ${document.payload.ekDigest}, by ${ekChain.join(' < ')}`,
        `  AK ${document.payload.akName}`,
        ...checks.map((check) => `  ${check.result}: ${check.name}: ${check.text}`),
        `wrote ${out}`,
      ].join('\n'),
    );
    return EXIT.ok;
  },
});
