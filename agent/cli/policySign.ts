// `tidelock policy sign`: an owner signs a reference policy that somebody has read and completed.
import { resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { writeNew } from '#agent/newFile.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { signReferencePolicy } from '#attest/policy/document.ts';
import { outFile } from './outFile.ts';
import { printResult } from './output.ts';
import { readPolicyText } from './policyFiles.ts';
import { defineVerb } from './verb.ts';

/** `tidelock policy sign`. */
export const policySign = defineVerb({
  name: 'policy sign',
  operands: { form: '<draft>', min: 1, max: 1 },
  flags: {
    'owner-key': { type: 'string', value: 'FILE', required: true, help: 'owner.key that signs' },
    out: { type: 'string', value: 'FILE', required: true, help: 'where to write' },
  },
  about:
    'Signs a reference policy as an owner: a draft of tidelock policy from-evidence, or one that is signed already and needs another signature. Overwrites nothing.',
  example: 'tidelock policy sign draft.json --owner-key owner/owner.key --out reference.json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const { cwd } = terminal;
    const draft = await readPolicyText(cwd, operands[0] ?? '');
    const owner = await readOwnerKey(resolve(cwd, flags['owner-key']));
    const file = await outFile(cwd, flags.out);
    const policy = { ...draft, issuedAt: systemClock.wallMs() };
    await writeNew(file, signReferencePolicy(policy, owner));
    const text = `wrote ${file}, signed by ${owner.keyId}`;
    printResult(invocation, 'ReferencePolicy', { file, owner: owner.keyId, policy }, text);
    return EXIT.ok;
  },
});
