// The flags by which verbs find a configuration, the same for all of them.
import type { ConfigSources } from '#agent/config.ts';
import type { Terminal } from './terminal.ts';
import type { Flags, FlagValues } from './verb.ts';

const OVERRIDES = {
  node: { type: 'string', value: 'NAME', help: 'name of this node, over the configured one' },
  'state-dir': { type: 'string', value: 'DIR', help: 'state directory, over the configured one' },
  'run-dir': { type: 'string', value: 'DIR', help: 'runtime directory, over the configured one' },
} as const satisfies Flags;

const DEFAULT_FILE = '/etc/tidelock/config.yaml';

/** `--config FILE` and what may be given over it. */
export const CONFIG_FLAGS = {
  config: {
    type: 'string',
    short: 'c',
    value: 'FILE',
    help: `configuration; ${DEFAULT_FILE} by default`,
  },
  ...OVERRIDES,
} as const satisfies Flags;

/** The sources of a configuration for `loadConfig`. */
export const configSources = (
  flags: FlagValues<typeof CONFIG_FLAGS>,
  terminal: Terminal,
): ConfigSources => ({
  file: flags.config ?? DEFAULT_FILE,
  env: terminal.env,
  cwd: terminal.cwd,
  flags: { node: flags.node, stateDir: flags['state-dir'], runDir: flags['run-dir'] },
});
