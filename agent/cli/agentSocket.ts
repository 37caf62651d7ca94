// Which agent a verb asks: the flags that name its control socket, the same for every verb that needs
// a running agent, and the question itself.
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { askAgent, invalid, tellAgent } from '#agent/api/client.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { loadConfig } from '#agent/config.ts';
import { usage } from './arguments.ts';
import type { Terminal } from './terminal.ts';
import type { Flags, FlagValues } from './verb.ts';

const RUN_BASE = '/run/tidelock';

/** By which a person names the agent that is meant. */
export const AGENT_FLAGS = {
  socket: { type: 'string', value: 'PATH', help: 'control socket of the agent' },
  'run-dir': { type: 'string', value: 'DIR', help: 'runtime directory of the agent' },
  config: { type: 'string', short: 'c', value: 'FILE', help: 'configuration of the agent' },
  node: { type: 'string', value: 'NAME', help: `node, when several agents run under ${RUN_BASE}` },
} as const satisfies Flags;

type AgentFlags = FlagValues<typeof AGENT_FLAGS>;

/**
 * The answer of the agent that the flags name to `GET path`, as the schema's type.
 * Errors: USAGE (several agents, none named), CONFIG_INVALID, AGENT_UNREACHABLE, AGENT_ANSWER_INVALID.
 */
export async function askAgentOf<T>(
  verb: string,
  to: { readonly flags: AgentFlags; readonly terminal: Terminal },
  path: string,
  schema: z.ZodType<T>,
): Promise<T> {
  const socket = await socketOf(verb, to.flags, to.terminal);
  return askAgentAt(socket, path, schema);
}

/** The same of the agent behind `socket`. Errors: AGENT_UNREACHABLE, AGENT_ANSWER_INVALID. */
export const askAgentAt = async <T>(
  socket: string,
  path: string,
  schema: z.ZodType<T>,
): Promise<T> => asAnswer(socket, await askAgent(socket, path), schema);

/**
 * The answer of the agent behind `socket` to a POST of `document`, as the schema's type.
 * Errors: AGENT_UNREACHABLE, AGENT_ANSWER_INVALID, and that by which the agent refuses.
 */
export const tellAgentAt = async <T>(
  socket: string,
  path: string,
  document: object,
  schema: z.ZodType<T>,
): Promise<T> => asAnswer(socket, await tellAgent(socket, path, document), schema);

function asAnswer<T>(socket: string, answer: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw invalid(socket, problemsOf(parsed.error).slice(0, 5).join('; '));
}

async function socketOf(verb: string, flags: AgentFlags, terminal: Terminal): Promise<string> {
  const { cwd, env } = terminal;
  if (flags.socket !== undefined) return resolve(cwd, flags.socket);
  if (flags['run-dir'] !== undefined) return resolve(cwd, flags['run-dir'], 'control.sock');
  if (flags.config !== undefined) {
    const config = await loadConfig({ file: flags.config, env, cwd, flags: { node: flags.node } });
    return config.api.controlSocket;
  }
  const nodes = flags.node === undefined ? await readdir(RUN_BASE).catch(() => []) : [flags.node];
  if (nodes.length > 1)
    throw usage(verb, `several agents are here; give --node ${nodes.join(' or ')}`);
  return join(RUN_BASE, nodes[0] ?? '*', 'control.sock');
}
