// The TPM of a rig's node: swtpm with EK certificates of the rig's own CA, its PCRs extended from a
// generated event log as firmware would have done. Everything lies in the rig's directory.
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hash } from 'node:crypto';
import { run, type Run } from '#agent/base/run.ts';
import { writeEventLog } from '#attest/eventlog/write.ts';
import type { HashName } from '#attest/tpm/algorithms.ts';
import { bootEvents, extensionsOf } from './boot.ts';
import { spawnIn, waitFor, type Place, type Program } from './program.ts';

export interface RigTpm {
  /** For tpm2-tss: `swtpm:path=<socket>`. */
  readonly tcti: string;
  /** The binary event log that its PCRs agree with. */
  readonly eventLog: string;
  readonly banks: readonly HashName[];
  /** Extends a PCR in every bank behind the agent's back: no event is logged. */
  extend(pcr: number, data: Uint8Array): Promise<void>;
  /** Power cycle: PCRs start from zero and are extended from the log again; NV memory stays. */
  reset(): Promise<void>;
  /** Takes the TPM away without warning, until the next reset. */
  kill(): Promise<void>;
  /** Values of PCRs 0 to 23 of one bank, by index, as the TPM has them now. */
  readPcrs(bank: HashName): Promise<readonly Buffer[]>;
}

/** Files of the certificate authority that all TPMs of a rig share. */
export interface RigCa {
  readonly dir: string;
  readonly setupConfig: string;
  /** Root and intermediate certificate, PEM, for `attestation.ekRoots`; there with the first TPM. */
  readonly rootsDir: string;
}

/** Writes the CA's configuration below `dir`; swtpm_localca makes the keys on first use. */
export function prepareCa(dir: string): RigCa {
  const rootsDir = `${dir}/roots`;
  mkdirSync(rootsDir, { recursive: true, mode: 0o700 });
  const localcaConfig = `${dir}/localca.conf`;
  const localcaOptions = `${dir}/localca.options`;
  const setupConfig = `${dir}/setup.conf`;
  writeLines(localcaConfig, [
    `statedir = ${dir}`,
    `signingkey = ${dir}/signkey.pem`,
    `issuercert = ${dir}/issuercert.pem`,
    `certserial = ${dir}/certserial`,
  ]);
  writeLines(localcaOptions, [
    '--platform-manufacturer Tidelock',
    '--platform-version 1',
    '--platform-model Rig',
  ]);
  writeLines(setupConfig, [
    'create_certs_tool = swtpm_localca',
    `create_certs_tool_config = ${localcaConfig}`,
    `create_certs_tool_options = ${localcaOptions}`,
  ]);
  return { dir, setupConfig, rootsDir };
}

/** Manufactures a TPM below `dir`, starts it and boots it. Errors: those of `run`; RIG_PROGRAM. */
export async function startTpm(
  place: Place,
  dir: string,
  name: string,
  ca: RigCa,
  banks: readonly HashName[],
): Promise<RigTpm> {
  const state = `${dir}/state`;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  await manufacture(state, name, ca, banks);
  const eventLog = `${dir}/binary_bios_measurements`;
  const events = bootEvents(name);
  writeFileSync(eventLog, writeEventLog(events, banks), { mode: 0o600 });

  const socket = `${dir}/tpm.sock`;
  const tcti = `swtpm:path=${socket}`;
  const tpm2 = toolsFor(tcti);
  let swtpm: Program | undefined;
  const kill = async (): Promise<void> => {
    swtpm?.kill('SIGKILL');
    await swtpm?.ended;
  };
  const boot = async (): Promise<void> => {
    if (swtpm?.running()) await swtpm.stop();
    for (const stale of [socket, `${socket}.ctrl`]) rmSync(stale, { force: true });
    swtpm = spawnIn(place, swtpmArgv(state, socket), {
      name: 'swtpm',
      logFile: `${dir}/swtpm.log`,
    });
    await waitFor(swtpm, 'its socket', () => existsSync(socket));
    await tpm2(['tpm2_pcrextend', ...extensionsOf(events, banks)]);
  };
  await boot();
  return {
    tcti,
    eventLog,
    banks,
    extend: async (pcr, data) => {
      const digests = banks.map((bank) => `${bank}=${hash(bank, data)}`);
      await tpm2(['tpm2_pcrextend', `${pcr}:${digests.join(',')}`]);
    },
    reset: boot,
    kill,
    readPcrs: (bank) => readPcrs(tpm2, bank),
  };
}

/** EK RSA 2048 and ECC P-384 with certificates in NV, as a vendor delivers them. */
async function manufacture(
  state: string,
  name: string,
  ca: RigCa,
  banks: readonly HashName[],
): Promise<void> {
  await run([
    'swtpm_setup',
    '--tpm2',
    `--tpmstate=${state}`,
    `--config=${ca.setupConfig}`,
    `--vmid=${name}`,
    '--create-ek-cert',
    '--create-platform-cert',
    `--pcr-banks=${banks.join(',')}`,
  ]);
  for (const certificate of ['swtpm-localca-rootca-cert.pem', 'issuercert.pem']) {
    copyFileSync(`${ca.dir}/${certificate}`, `${ca.rootsDir}/${certificate}`);
  }
}

/** `startup-clear` is the TPM2_Startup(CLEAR) of firmware: swtpm has none (swtpm(8)). */
const swtpmArgv = (state: string, socket: string): [string, ...string[]] => [
  'swtpm',
  'socket',
  '--tpm2',
  `--tpmstate=dir=${state}`,
  `--server=type=unixio,path=${socket}`,
  `--ctrl=type=unixio,path=${socket}.ctrl`,
  '--flags=not-need-init,startup-clear',
];

const toolsFor =
  (tcti: string): Run =>
  (argv, options) =>
    run(argv, { ...options, env: { ...options?.env, TPM2TOOLS_TCTI: tcti } });

async function readPcrs(tpm2: Run, bank: HashName): Promise<readonly Buffer[]> {
  const { stdout } = await tpm2(['tpm2_pcrread', bank]);
  return [...stdout.toString().matchAll(/^\s+\d+\s*: 0x([0-9A-Fa-f]+)$/gm)].map(([, value]) =>
    Buffer.from(value ?? '', 'hex'),
  );
}

const writeLines = (path: string, lines: readonly string[]): void =>
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
