// The directory of a bus's authority: keys that stay off the cluster, a folder for each server and the credentials of
// each node. Nothing in it is ever written over.
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { decode, fromSeed } from '@nats-io/jwt';
import type { NodeName } from '#agent/base/brands.ts';
import { makeDirectory } from '#agent/base/directory.ts';
import { messageOf, TidelockError } from '#agent/base/errors.ts';
import { fileExists, writeNewText } from '#agent/newFile.ts';
import { makeAuthorityCertificate, makeServerCertificate } from './certificates.ts';
import { serverConfig, type ServersPlan } from './serverConfig.ts';
import { adminCredentials, makeTokens, nodeCredentials } from './tokens.ts';

/** For its owner alone. */
const SECRET = 0o600;
/** A bus of several servers keeps everything on three of them. */
export const replicasOf = (hosts: readonly string[]): number => (hosts.length < 3 ? 1 : 3);

const nodesKey = (dir: string): string => `${dir}/keys/nodes.nk`;
const accountFile = (dir: string): string => `${dir}/account.jwt`;
export const authorityCertificate = (dir: string): string => `${dir}/ca.pem`;
export const adminFile = (dir: string): string => `${dir}/admin.creds`;
export const credentialsFile = (dir: string, node: string): string => `${dir}/nodes/${node}.creds`;
export const serverDir = (dir: string, host: string): string => `${dir}/servers/${host}`;

/** Makes `dir`, which must not be there; on failure it is gone. Errors: FILE_EXISTS, FILE_UNWRITABLE, PROCESS_MISSING. */
export async function makeBusAuthority(dir: string, plan: ServersPlan): Promise<void> {
  await makeDirectory(dirname(dir));
  await mkdir(dir, 0o700).catch((cause: unknown) => {
    throw unwritable(dir, cause);
  });
  try {
    await fill(dir, plan);
  } catch (thrown) {
    await rm(dir, { recursive: true, force: true });
    throw thrown;
  }
}

async function fill(dir: string, plan: ServersPlan): Promise<void> {
  const tokens = await makeTokens(plan.cluster, replicasOf(plan.hosts));
  for (const [name, seed] of Object.entries(tokens.seeds)) {
    await writeNewText(`${dir}/keys/${name}.nk`, seed, SECRET);
  }
  await writeNewText(accountFile(dir), tokens.account.jwt);
  await writeNewText(adminFile(dir), await adminCredentials(tokens), SECRET);
  const authority = [authorityCertificate(dir), `${dir}/keys/ca.key`] as const;
  await makeAuthorityCertificate(...authority);
  const certificate = await readFile(authority[0], 'utf8');
  for (const host of plan.hosts) {
    const at = serverDir(dir, host);
    await makeDirectory(at);
    await makeServerCertificate(host, [`${at}/server.pem`, `${at}/server.key`], authority);
    await writeNewText(`${at}/ca.pem`, certificate);
    await writeNewText(`${at}/nats.conf`, serverConfig(host, plan, tokens));
  }
}

/** Makes credentials of nodes; returns their files. Errors: FILE_UNREADABLE, FILE_EXISTS, FILE_UNWRITABLE. */
export async function addNodes(dir: string, nodes: readonly NodeName[]): Promise<string[]> {
  const { seed, accountKey } = await authorityIn(dir);
  const files: string[] = [];
  for (const node of nodes) {
    const file = credentialsFile(dir, node);
    await writeNewText(file, await nodeCredentials(node, seed, accountKey), SECRET);
    files.push(file);
  }
  return files;
}

async function authorityIn(
  dir: string,
): Promise<{ readonly seed: Uint8Array; readonly accountKey: string }> {
  try {
    const seed = await readFile(nodesKey(dir));
    fromSeed(seed);
    return { seed, accountKey: decode((await readFile(accountFile(dir), 'utf8')).trim()).sub };
  } catch (cause) {
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'bus.add',
      message: `Cannot read the authority of a bus in ${dir}: ${messageOf(cause)}`,
      hint: 'Give with --dir what tidelock bus init made, keys and account.jwt included.',
      cause,
    });
  }
}

const unwritable = (dir: string, cause: unknown): TidelockError =>
  (cause as NodeJS.ErrnoException).code === 'EEXIST'
    ? fileExists(dir)
    : new TidelockError('FILE_UNWRITABLE', {
        op: 'bus.init',
        message: `Cannot make ${dir}: ${messageOf(cause)}`,
        hint: 'Look at the permissions of the directory above it, or choose another one with --dir.',
        cause,
      });
