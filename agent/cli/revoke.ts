// `tidelock revoke`: an owner ends the admission of a node, now and everywhere. The key is read and used
// here; the agent of this node gets the signed document and tells the others.
import { resolve } from 'node:path';
import { revokedSchema, type Revoked } from '#agent/api/revoked.ts';
import { EXIT } from '#agent/base/codes.ts';
import { nodeName } from '#agent/base/schema.ts';
import { loadConfig } from '#agent/config.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { MAX_REASON_CHARS, signRevocation } from '#attest/revocation.ts';
import { tellAgentAt } from './agentSocket.ts';
import { usage } from './arguments.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { printResult } from './output.ts';
import { requirePinned } from './pinned.ts';
import { defineVerb } from './verb.ts';

/** `tidelock revoke`. */
export const revoke = defineVerb({
  name: 'revoke',
  operands: { form: '<node>', min: 1, max: 1 },
  flags: {
    ...CONFIG_FLAGS,
    owner: { type: 'string', value: 'FILE', required: true, help: 'owner.key that signs' },
    reason: { type: 'string', value: 'TEXT', required: true, help: 'why, for people' },
  },
  about:
    'Ends the admission of a node: all its enrolments up to now are void. Every agent that hears of it cuts its lanes with that node at once, and the next record begins a generation of keys without it. Run it on any node whose agent runs, with the configuration of that agent. A later enrolment brings the node back. Needs root.',
  example:
    'tidelock revoke node-b --reason "disk stolen" --owner ./owner/owner.key\ntidelock revoke node-b --reason retired --owner ./owner/owner.key -o json',
  run: async (invocation) => {
    const { flags, terminal, operands } = invocation;
    const node = nodeName.safeParse(operands[0]);
    if (!node.success) throw usage('revoke', 'a node name is a DNS name in lower case');
    const { length } = flags.reason;
    if (length === 0 || length > MAX_REASON_CHARS) {
      throw usage('revoke', `a reason has from 1 to ${MAX_REASON_CHARS} characters`);
    }
    const config = await loadConfig(configSources(flags, terminal));
    const owner = await readOwnerKey(resolve(terminal.cwd, flags.owner));
    requirePinned(owner, config, `revoke ${node.data}`);
    const document = signRevocation(
      {
        v: 1,
        domain: config.domain,
        cluster: config.cluster,
        node: node.data,
        reason: flags.reason,
        issuedAt: Date.now(),
      },
      owner,
    );
    const { controlSocket } = config.api;
    const revoked = await tellAgentAt(controlSocket, '/revocations', document, revokedSchema);
    printResult(invocation, 'Revocation', { owner: owner.keyId, ...revoked }, textOf(revoked));
    return EXIT.ok;
  },
});

function textOf({ revocation, isNews, wasMember, isPublished }: Revoked): string {
  const { node, cluster, domain, reason } = revocation;
  if (!isNews) {
    return `${node} was revoked by an owner whose clock is ahead of this one's: ${reason}\n  nothing was changed`;
  }
  return [
    `revoked ${node} of ${cluster} in ${domain}: ${reason}`,
    wasMember
      ? '  it was a member: its lanes are cut, and the next record begins a generation without it'
      : '  no member of that name is known here; what was enrolled for it up to now is void',
    isPublished
      ? '  the bus has it: every agent hears of it now'
      : '  the bus is away: this agent keeps it, and tells the others when the bus is back',
    `  to bring it back: tidelock enroll on ${node}, and start its agent anew`,
  ].join('\n');
}
