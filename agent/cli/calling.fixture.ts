// For tests: a verb called as its command line does, in this process, and what it printed.
import type { ExitCode } from '#agent/base/codes.ts';
import { runCommandLine } from './commandLine.ts';

/** What a call came to. */
export interface Called {
  readonly exit: ExitCode;
  readonly out: string;
  readonly err: string;
}

/** A configuration of node-a in the cluster `demo` that `tidelock init --out OWNER_DIR` has made. */
export const configBy = (ownerDir = 'owner') => ({
  domain: 'example.org',
  cluster: 'demo',
  node: 'node-a',
  owners: [`${ownerDir}/owner.pub`],
  bus: { servers: ['nats://127.0.0.1:4222'] },
  inventory: { file: 'inventory.yaml' },
  attestation: { ekRoots: 'roots', policyFile: 'policy.json' },
  lanes: { address: '198.18.0.11' },
  paths: { runDir: 'run', stateDir: 'state' },
});

/** Calls `argv` (without the program's name) from the directory `cwd`. */
export async function callIn(cwd: string, argv: readonly string[]): Promise<Called> {
  let out = '';
  let err = '';
  const exit = await runCommandLine(argv, {
    out: (more) => void (out += more),
    err: (more) => void (err += more),
    env: {},
    cwd,
    stopSignal: () => new AbortController().signal,
  });
  return { exit, out, err };
}
