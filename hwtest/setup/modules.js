// The npm half of the setup: is node_modules what the lock file says, and installing it if not. Its
// largest part is the project's own Node. Runs under the machine's Node, see steps.js.
import { spawnSync } from 'node:child_process';
import { constants as mode, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { allows, firstLine, installEnv, isProgram, refuse, run, say } from '#hwtest/setup/steps.js';

const lockFile = (root) => join(root, 'package-lock.json');
const hiddenLockFile = (root) => join(root, 'node_modules', '.package-lock.json');

/** The project's own Node, of the checkout at `root`. */
export const ownNode = (root) => join(root, 'node_modules', '.bin', 'node');

/**
 * Whether node_modules is what package-lock.json says. npm writes its hidden lock file last, so
 * that its presence also tells that the installation went through.
 */
export function modulesInstalled(root) {
  const wanted = readJson(lockFile(root));
  const present = readJson(hiddenLockFile(root));
  if (!wanted || !present || !allows(ownNode(root), mode.X_OK)) return false;
  return Object.entries(wanted.packages).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    const found = present.packages[path];
    if (found === undefined) return optional === true; // for another platform
    return found.version === version && found.integrity === integrity;
  });
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // absent or cut off: either way not there
  }
}

/** Why the modules could never be installed here, as `[holds, code, message, hint]`. */
export const moduleChecks = (root) => [
  [
    readJson(lockFile(root)) !== undefined,
    'SETUP_UNSUPPORTED',
    `Cannot read ${lockFile(root)}: absent or cut off`,
    'The checkout is not complete; clone the repository again.',
  ],
  [
    isProgram('npm'),
    'SETUP_UNSUPPORTED',
    'Cannot install the npm packages: npm is not on the PATH',
    'Install npm: it comes with Node from nodejs.org, and Debian has it as the package npm.',
  ],
  [
    allows(root, mode.W_OK),
    'SETUP_UNSUPPORTED',
    `Cannot install the npm packages: ${root} is not writable`,
    'Run as the owner of the checkout, or as root.',
  ],
];

/** Asks the registry for the largest package that will be installed. */
export function refuseOffline(root) {
  const name = `node-linux-${process.arch}`;
  const { version } = readJson(lockFile(root)).packages[`node_modules/${name}`];
  say(`asking the npm registry for ${name} ${version}`);
  const options = ['--fetch-retries=0', '--fetch-timeout=20000', '--loglevel=error'];
  const argv = ['view', `${name}@${version}`, 'version', ...options];
  const answer = spawnSync('npm', argv, { cwd: root, env: installEnv(), encoding: 'utf8' });
  if (answer.status === 0 && answer.stdout.includes(version)) return;
  refuse(
    'SETUP_OFFLINE',
    `Cannot install the npm packages: no ${name} from the registry (${firstLine(answer.stderr)})`,
    'Check the network, npm config get registry and https_proxy; nothing was changed.',
  );
}

/** `npm ci`, which replaces whatever node_modules holds; `held` are the locks it keeps alive. */
export async function installModules(root, held) {
  say('installing the npm packages of package-lock.json, Node 26 among them');
  rmSync(hiddenLockFile(root), { force: true }); // killed from here on reads as not installed
  const argv = ['npm', 'ci', '--include=dev', '--include=optional', '--loglevel=error'];
  const code = await run(argv, { cwd: root, env: installEnv(), stdio: ['ignore', 2, 2, ...held] });
  linkOwnNode(root);
  const works = modulesInstalled(root) && spawnSync(ownNode(root), ['--version']).status === 0;
  if (code === 0 && works) return;
  refuse(
    'SETUP_FAILED',
    `Cannot install the npm packages: npm ci ended with ${code}`,
    'What npm said stands above. Start again once it is mended; a partial node_modules is replaced.',
  );
}

/**
 * npm 9, which Debian 13 has, removes the package of the other platform together with this link, which
 * both packages have.
 */
function linkOwnNode(root) {
  const binary = join(`node-linux-${process.arch}`, 'bin', 'node');
  if (allows(ownNode(root), mode.X_OK)) return;
  if (allows(join(root, 'node_modules', binary), mode.X_OK)) {
    symlinkSync(join('..', binary), ownNode(root));
  }
}
