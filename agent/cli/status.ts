// `tidelock status`: asks the agent of this node over its control socket and shows the answer.
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { askAgent, invalid } from '#agent/api/client.ts';
import { statusSchema } from '#agent/api/status.ts';
import { statusText } from '#agent/api/statusText.ts';
import { problemsOf } from '#agent/base/schema.ts';
import { loadConfig } from '#agent/config.ts';
import { usage } from './arguments.ts';
import { printResult } from './output.ts';
import type { Terminal } from './terminal.ts';
import { defineVerb, type Flags, type FlagValues } from './verb.ts';

const RUN_BASE = '/run/tidelock';

const FLAGS = {
  socket: { type: 'string', value: 'PATH', help: 'control socket of the agent' },
  'run-dir': { type: 'string', value: 'DIR', help: 'runtime directory of the agent' },
  config: { type: 'string', short: 'c', value: 'FILE', help: 'configuration of the agent' },
  node: { type: 'string', value: 'NAME', help: `node, when several agents run under ${RUN_BASE}` },
} as const satisfies Flags;

/** `tidelock status`. */
export const status = defineVerb({
  name: 'status',
  flags: FLAGS,
  about:
    'Shows what the agent of this node sees and does: verdict, epochs, peers, lanes, pods, last events. Needs root.',
  example: 'tidelock status\ntidelock status --run-dir /run/tidelock/node-a -o json',
  run: async (invocation) => {
    const socket = await socketOf(invocation.flags, invocation.terminal);
    const answer = await askAgent(socket, '/status');
    const parsed = statusSchema.safeParse(answer);
    if (!parsed.success) throw invalid(socket, problemsOf(parsed.error).slice(0, 5).join('; '));
    printResult(invocation, 'Status', parsed.data, statusText(parsed.data));
    return EXIT.ok;
  },
});

async function socketOf(flags: FlagValues<typeof FLAGS>, terminal: Terminal): Promise<string> {
  const { cwd, env } = terminal;
  if (flags.socket !== undefined) return resolve(cwd, flags.socket);
  if (flags['run-dir'] !== undefined) return resolve(cwd, flags['run-dir'], 'control.sock');
  if (flags.config !== undefined) {
    const config = await loadConfig({ file: flags.config, env, cwd, flags: { node: flags.node } });
    return config.api.controlSocket;
  }
  const nodes = flags.node === undefined ? await readdir(RUN_BASE).catch(() => []) : [flags.node];
  if (nodes.length > 1)
    throw usage('status', `several agents are here; give --node ${nodes.join(' or ')}`);
  return join(RUN_BASE, nodes[0] ?? '*', 'control.sock');
}
