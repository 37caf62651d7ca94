// An owner's word about a node, as revoke and quarantine give it: the key is read and used here; the agent of this
// node gets the signed document and tells the others.
import { resolve } from 'node:path';
import { revokedSchema, type Revoked } from '#agent/api/revoked.ts';
import { statusSchema } from '#agent/api/status.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { nodeName } from '#agent/base/schema.ts';
import { loadConfig } from '#agent/config.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { MAX_REASON_CHARS, signRevocation, voidUpTo, type Revocation } from '#attest/revocation.ts';
import { askAgentAt, tellAgentAt } from './agentSocket.ts';
import { usage } from './arguments.ts';
import { CONFIG_FLAGS, configSources } from './configFlags.ts';
import { requirePinned } from './pinned.ts';
import type { Invocation } from './verb.ts';

export const WORD_FLAGS = {
  ...CONFIG_FLAGS,
  owner: { type: 'string', value: 'FILE', required: true, help: 'owner.key that signs' },
  absent: { type: 'boolean', help: 'the agent need not know a node of that name' },
} as const;

export interface GivenWord extends Revoked {
  /** Key id of who signed. */
  readonly owner: string;
}

/** What is said of a node as of a moment; `revokedAt`: it was revoked before, up to then. */
export type Word = (
  issuedAt: number,
  revokedAt: number | undefined,
) => Pick<Revocation, 'reason' | 'until' | 'revokedAt'>;

type WordInvocation = Pick<Invocation<typeof WORD_FLAGS>, 'terminal' | 'operands' | 'flags'>;

/**
 * Signs and tells it. Errors: USAGE for a name that is none or that the agent does not know, a configuration or a key
 * that is none, OWNER_KEY_INVALID, those of tellAgentAt, and what the agent refuses.
 */
export async function giveWord(
  verb: string,
  { flags, terminal, operands }: WordInvocation,
  word: Word,
): Promise<GivenWord> {
  const node = nodeName.safeParse(operands[0]);
  if (!node.success) throw usage(verb, 'a node name is a DNS name in lower case');
  const config = await loadConfig(configSources(flags, terminal));
  const owner = await readOwnerKey(resolve(terminal.cwd, flags.owner));
  requirePinned(owner, config, `${verb} ${node.data}`);
  const { controlSocket } = config.api;
  if (!flags.absent) await requireKnown(verb, controlSocket, node.data);
  const tell = (issuedAt: number, revokedAt?: number): Promise<Revoked> => {
    const { domain, cluster } = config;
    const said = word(issuedAt, revokedAt);
    const revocation: Revocation = { v: 1, domain, cluster, node: node.data, ...said, issuedAt };
    const document = signRevocation(revocation, owner);
    return tellAgentAt(controlSocket, '/revocations', document, revokedSchema);
  };
  let told = await tell(Date.now());
  const { revocation: held } = told;
  const before = voidUpTo(held);
  // A quarantine that does not repeat what was said before for good is not taken, nor one by a clock that is behind.
  if (!told.isNews && word(0, undefined).until !== undefined) {
    told = await tell(Math.max(Date.now(), held.issuedAt + 1), before);
  }
  // The clock under which it was enrolled is ahead of this one's.
  if (told.outlivedBy !== undefined) told = await tell(told.outlivedBy, before);
  return { owner: owner.keyId, ...told };
}

/** What was asked for as `reason`. Errors: USAGE. */
export function reasonOf(verb: string, reason: string): string {
  if (reason.length > 0 && reason.length <= MAX_REASON_CHARS) return reason;
  throw usage(verb, `a reason has from 1 to ${MAX_REASON_CHARS} characters`);
}

/** The last lines of both verbs: whether the others know. */
export const publishedText = ({ isPublished }: Revoked): string =>
  isPublished
    ? '  the bus has it: every agent hears of it now'
    : '  the bus does not have it yet: this agent keeps it, and tells the others as soon as it can';

const knownSchema = statusSchema.pick({ node: true, peers: true });

/** A slip in the name would be kept by every node, and the one that is meant go on. */
async function requireKnown(verb: string, socket: string, node: NodeName): Promise<void> {
  const status = await askAgentAt(socket, '/status', knownSchema);
  const known = [status.node.name, ...status.peers.map((peer) => peer.node)];
  if (known.includes(node)) return;
  throw usage(
    verb,
    `the agent knows no node ${node}, but ${known.slice(0, 8).join(', ')}${known.length > 8 ? ' and others' : ''}; one that has been away for long takes --absent`,
  );
}
