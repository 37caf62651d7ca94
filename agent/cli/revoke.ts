// `tidelock revoke`: an owner ends the admission of a node, now and everywhere. The key is read and used
// here; the agent of this node gets the signed document and tells the others.
import { resolve } from 'node:path';
import { revokedSchema, type Revoked } from '#agent/api/revoked.ts';
import { statusSchema } from '#agent/api/status.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { EXIT } from '#agent/base/codes.ts';
import { nodeName } from '#agent/base/schema.ts';
import { loadConfig } from '#agent/config.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { MAX_REASON_CHARS, signRevocation, type Revocation } from '#attest/revocation.ts';
import { askAgentAt, tellAgentAt } from './agentSocket.ts';
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
    absent: { type: 'boolean', help: 'the agent need not know a node of that name' },
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
    const { controlSocket } = config.api;
    if (!flags.absent) await requireKnown(controlSocket, node.data);
    const revokeAt = (issuedAt: number): Promise<Revoked> => {
      const { domain, cluster } = config;
      const { reason } = flags;
      const revocation: Revocation = { v: 1, domain, cluster, node: node.data, reason, issuedAt };
      const document = signRevocation(revocation, owner);
      return tellAgentAt(controlSocket, '/revocations', document, revokedSchema);
    };
    let revoked = await revokeAt(Date.now());
    // The clock under which it was enrolled is ahead of this one's.
    if (revoked.outlivedBy !== undefined) revoked = await revokeAt(revoked.outlivedBy);
    printResult(invocation, 'Revocation', { owner: owner.keyId, ...revoked }, textOf(revoked));
    return EXIT.ok;
  },
});

const knownSchema = statusSchema.pick({ node: true, peers: true });

/** A slip in the name would be kept by every node, and the one that is meant go on. */
async function requireKnown(socket: string, node: NodeName): Promise<void> {
  const status = await askAgentAt(socket, '/status', knownSchema);
  const known = [status.node.name, ...status.peers.map((peer) => peer.node)];
  if (known.includes(node)) return;
  throw usage(
    'revoke',
    `the agent knows no node ${node}, but ${known.slice(0, 8).join(', ')}${known.length > 8 ? ' and others' : ''}; one that has been away for long is revoked with --absent`,
  );
}

function textOf({ revocation, isNews, wasMember, isPublished }: Revoked): string {
  const { node, cluster, domain, reason } = revocation;
  if (!isNews) {
    return `${node} is revoked already, as of a later time than now: ${reason}\n  nothing was changed`;
  }
  return [
    `revoked ${node} of ${cluster} in ${domain}: ${reason}`,
    wasMember
      ? '  it was a member: its lanes are cut, and the next record begins a generation without it'
      : '  it was no member: what was enrolled for it up to now is void',
    isPublished
      ? '  the bus has it: every agent hears of it now'
      : '  the bus does not have it yet: this agent keeps it, and tells the others as soon as it can',
    `  to bring it back: move away its enrolment.json, tidelock enroll there, and start its agent anew`,
  ].join('\n');
}
