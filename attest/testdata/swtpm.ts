// A software TPM for tests: own directory, own certificate authority, own process, nothing outside.
// The process dies with the one that started it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { hex } from '#agent/base/bytes.ts';
import { run } from '#agent/base/run.ts';
import { eventDigest, type EventToWrite } from '#attest/eventlog/write.ts';
import { EV_NO_ACTION, eventTypeNumber } from '#attest/eventlog/types.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';

export const SWTPM_BANKS: readonly HashName[] = ['sha1', 'sha256', 'sha384'];

export interface Swtpm extends AsyncDisposable {
  readonly tcti: string;
  /** Holds the CA's root and intermediate certificates (PEM), and its keys. */
  readonly caDir: string;
  /** Extends PCRs in every bank as the firmware would that wrote these events. */
  measure(events: readonly EventToWrite[]): Promise<void>;
  /** Runs a tpm2 tool against it. */
  tool(name: string, ...args: readonly string[]): Promise<Buffer>;
  stop(): Promise<void>;
  /** Power on: PCRs are clear, persistent objects and NV are kept. */
  start(): Promise<void>;
}

/** Manufactures a TPM in `dir` (short: a unix socket lives there) and starts it. */
export async function createSwtpm(dir: string): Promise<Swtpm> {
  const state = join(dir, 'state');
  const caDir = join(dir, 'ca');
  const socket = join(dir, 'tpm.sock');
  await mkdir(state, { recursive: true });
  await mkdir(caDir, { recursive: true });
  await manufacture(dir, state, caDir);
  let child: ChildProcess | undefined;
  const tool: Swtpm['tool'] = async (name, ...args) => {
    const env = { TPM2TOOLS_TCTI: `swtpm:path=${socket}`, TSS2_LOG: 'all+NONE' };
    return (await run([`tpm2_${name}`, ...args], { env })).stdout;
  };
  const stop = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    child = undefined;
  };
  const start = async (): Promise<void> => {
    child = spawn('setpriv', ['--pdeathsig', 'KILL', 'swtpm', ...socketArgs(state, socket)], {
      stdio: 'ignore',
    });
    await accepting(socket);
  };
  await start();
  return {
    tcti: `swtpm:path=${socket}`,
    caDir,
    tool,
    stop,
    start,
    measure: async (events) => {
      const extending = events.filter(({ type }) => eventTypeNumber(type) !== EV_NO_ACTION);
      if (extending.length > 0) await tool('pcrextend', ...extending.map(extension));
    },
    [Symbol.asyncDispose]: stop,
  };
}

const extension = (event: EventToWrite): string =>
  `${event.pcr}:${SWTPM_BANKS.map((bank) => `${bank}=${hex(eventDigest(event, bank))}`).join(',')}`;

/** The TCTI looks for the control socket beside the data socket, named with `.ctrl`. */
function socketArgs(state: string, socket: string): string[] {
  const server = ['--server', `type=unixio,path=${socket},mode=0600`];
  const control = ['--ctrl', `type=unixio,path=${socket}.ctrl,mode=0600`];
  const flags = ['--flags', 'not-need-init,startup-clear'];
  return ['socket', '--tpm2', '--tpmstate', `dir=${state}`, ...flags, ...server, ...control];
}

async function manufacture(dir: string, state: string, caDir: string): Promise<void> {
  const path = (name: string): string => join(dir, name);
  await writeFile(
    path('setup.conf'),
    `create_certs_tool = swtpm_localca
create_certs_tool_config = ${path('localca.conf')}
create_certs_tool_options = ${path('localca.options')}
`,
  );
  await writeFile(
    path('localca.conf'),
    `statedir = ${caDir}
signingkey = ${join(caDir, 'signkey.pem')}
issuercert = ${join(caDir, 'issuercert.pem')}
certserial = ${join(caDir, 'certserial')}
`,
  );
  await writeFile(
    path('localca.options'),
    '--platform-manufacturer Tidelock\n--platform-version 1\n--platform-model test\n',
  );
  const banks = ['--pcr-banks', SWTPM_BANKS.join(',')];
  const config = ['--config', path('setup.conf'), '--create-ek-cert', '--lock-nvram'];
  await run(['swtpm_setup', '--tpm2', '--tpm-state', state, ...config, ...banks]);
}

/** Resolves when the socket takes a connection; at most five seconds. */
async function accepting(socket: string): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const probe = connect(socket);
    try {
      await once(probe, 'connect');
      return;
    } catch {
      await wait(10);
    } finally {
      probe.destroy();
    }
  }
  throw new Error(`no swtpm at ${socket}`);
}
