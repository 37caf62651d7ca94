// Traces in the file system: the runtime directory and what was kept in the state directory. An owner's
// key is never removed, wherever somebody put it.
import { readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Config } from '#agent/config.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { unknownTrace, type Trace } from './trace.ts';

/** Below the state directory (ARCHITECTURE, decisions), and what is lost with each. */
const STATE = {
  enrolment: 'the enrolment of this node: an owner must enrol it again',
  revocations: 'which nodes owners have revoked, as far as the bus does not have it',
  cache: 'what was fetched',
  audit: 'the audit of this node',
  reports: 'the attestation reports of this node',
} as const;

const RUNTIME = ['control.sock', 'plane.sock', 'planes.json', 'planes.json.new'];
const SCRATCH = /^tpm(-|$)/;
/** Directories that others keep things in under the names above: nothing below them is ours for sure. */
const SHARED = /^\/(?:(?:boot|dev|etc|home|mnt|opt|root|run|srv|tmp|usr|var)?|var\/[^/]+)$/;

/** Everything that an agent or a verb writes to disk on this node. */
export async function fileTraces({
  attestation,
  api,
  paths,
}: Pick<Config, 'attestation' | 'api' | 'paths'>): Promise<readonly Trace[]> {
  const { stateDir, runDir } = paths;
  const shared = [stateDir, runDir].filter((directory) => SHARED.test(directory));
  if (shared.length > 0) return shared.map(sharedTrace);
  const sockets = new Set([...(await runEntries(runDir)), api.controlSocket]);
  const state = new Map(
    Object.entries(STATE).map(([name, loses]) => [join(stateDir, name), loses] as const),
  );
  const { enrolmentFile } = attestation;
  if (!state.has(dirname(enrolmentFile))) state.set(enrolmentFile, STATE.enrolment);
  return Promise.all([
    ...[...sockets].map((path) => pathTrace(path, 'runtime file', runDir)),
    emptyTrace(runDir),
    ...[...state].map(([path, loses]) => pathTrace(path, 'state', stateDir, loses)),
    emptyTrace(stateDir),
  ]);
}

const sharedTrace = (where: string): Trace =>
  unknownTrace(
    { kind: 'file', what: 'files of the agent', where },
    'others keep things there under the same names; remove by hand what is of tidelock',
  );

/** Sockets and record of the agent and scratch directories of the TPM; anything else there is not ours. */
async function runEntries(runDir: string): Promise<string[]> {
  const entries = await readdir(runDir, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) =>
      entry.isDirectory() ? SCRATCH.test(entry.name) : RUNTIME.includes(entry.name),
    )
    .map(({ name }) => join(runDir, name));
}

/** The last one to go takes the directory it was in along. */
async function pathTrace(
  path: string,
  what: string,
  directory: string,
  loses?: string,
): Promise<Trace> {
  const there = await stat(path).catch(() => undefined);
  return {
    kind: 'file',
    what,
    where: path,
    presence: there ? 'there' : 'absent',
    ...(loses === undefined ? {} : { loses }),
    remove: async () => {
      await refuseOwnerKey(path);
      await rm(path, { recursive: true, force: true });
      if (dirname(path) === directory) await removeEmpty(directory);
    },
  };
}

/** A directory counts while it is empty: with something in it, that is what is there. */
async function emptyTrace(path: string): Promise<Trace> {
  const entries = await readdir(path).catch(() => undefined);
  return {
    kind: 'file',
    what: 'empty directory',
    where: path,
    presence: entries?.length === 0 ? 'there' : 'absent',
    remove: () => removeEmpty(path),
  };
}

const removeEmpty = (directory: string): Promise<void> => rmdir(directory).catch(() => undefined);

const MAX_KEY_BYTES = 64 << 10;

/** Errors: OWNER_KEY_INVALID when an owner.key lies at or below `path`. */
async function refuseOwnerKey(path: string): Promise<void> {
  const below = await readdir(path, { recursive: true }).catch(() => []);
  for (const file of [path, ...below.map((name) => join(path, name))]) {
    if (!(await isOwnerKey(file))) continue;
    throw new TidelockError('OWNER_KEY_INVALID', {
      op: 'uninstall.files',
      message: `Cannot remove ${path}: ${basename(file)} in it is the key of an owner`,
      hint: 'Move it off this node, to where the owners keep it: what a lost key has signed can never be renewed.',
    });
  }
}

async function isOwnerKey(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || found.size > MAX_KEY_BYTES) return false;
  return /"kind"\s*:\s*"OwnerKey"/.test(await readFile(file, 'utf8'));
}
