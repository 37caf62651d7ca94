#!/usr/bin/env node
// The way in: installs what is missing from npm and Debian, then runs a verb under the project's
// own Node. It decides nothing about the product and writes progress to stderr only. It has no
// dependency and no syntax newer than ES2019, so that an old Node gets a message to act on.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants as mode, readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants as os } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(fileURLToPath(import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');
const NODE = join(BIN, 'node');
const HIDDEN_LOCK = join(ROOT, 'node_modules', '.package-lock.json');

const noHelp = (args) => !args.includes('--help') && !args.includes('-h');

/** What each verb runs under the project's Node, and whether it needs the Debian packages. */
const VERBS = {
  demo: { target: ['agent/main.ts', 'demo'], debian: noHelp },
  tidelock: { target: ['agent/main.ts'], debian: (args) => args[0] === 'demo' && noHelp(args) },
  test: { target: ['node_modules/vitest/vitest.mjs', 'run'], debian: noHelp },
  install: { target: [], debian: () => true },
};

/** Debian package -> programs it is needed for, and the services it would start and enable. */
const PACKAGES = {
  swtpm: { programs: ['swtpm'] },
  'swtpm-tools': { programs: ['swtpm_setup', 'swtpm_localca', 'swtpm_ioctl'] },
  'tpm2-tools': { programs: ['tpm2'] },
  'nats-server': { programs: ['nats-server'], services: ['nats-server'] },
  nftables: { programs: ['nft'] },
  iproute2: { programs: ['ip', 'tc', 'ss'] },
  'nginx-light': { programs: ['nginx'], services: ['nginx'] },
  'redis-server': { programs: ['redis-server'], services: ['redis-server'] },
  'redis-tools': { programs: ['redis-cli', 'redis-benchmark'] },
  curl: { programs: ['curl'] },
  tcpdump: { programs: ['tcpdump'] },
  bpftrace: { programs: ['bpftrace'] },
  'util-linux': { programs: ['nsenter', 'setpriv'] },
};

/**
 * Installs packages ($1) without starting or, later, enabling their services ($2). The policy that
 * denies the start names only these (pattern $3), expires with this shell (so one that outlives a
 * kill -9 denies nothing), and is not written where the machine has a policy of its own.
 */
const INSTALL_PACKAGES = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ] || grep -q 'tidelock setup' "$policy"; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  cat > "$policy" <<END
#!/bin/sh
# Written by tidelock setup, removed when its installation ends.
case "\\$1" in $3) kill -0 $$ 2>/dev/null && exit 101 ;; esac
exit 0
END
  chmod 755 "$policy"
fi
dpkg --configure -a &&
  apt-get -q -y -f --no-install-recommends -o DPkg::Lock::Timeout=600 install $1 || exit
for service in $2; do
  if command -v systemctl > /dev/null; then systemctl --quiet disable "$service"
  elif [ -e "/etc/init.d/$service" ]; then update-rc.d "$service" disable
  fi
done
exit 0
`;

const FETCH_OPTIONS = ['-q', '-y', '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30'];
const NOTHING_CHANGED = 'then start again; nothing was changed.';

/** One or more problems, each `{code, message, hint}` in the form of docs/errors.md. */
class SetupRefused extends Error {
  constructor(problems) {
    super(problems[0].message);
    this.problems = problems;
  }
}

const refuse = (code, message, hint) => {
  throw new SetupRefused([{ code, message, hint }]);
};

/** Exit codes as in agent/base/codes.ts; a code that is not here ends with 6. */
const EXIT = { USAGE: 2, SETUP_FAILED: 1 };

async function main() {
  const { verb, args } = parse(process.argv);
  try {
    if (VERBS[verb] === undefined) {
      const verbs = Object.keys(VERBS).join(', ');
      refuse('USAGE', `Cannot run setup.js ${verb}: no such verb`, `The verbs are ${verbs}.`);
    }
    const need = missing(verb, args);
    if (need.modules || need.packages.length > 0) await install(verb, args);
    return verb === 'install' ? 0 : await runTarget(VERBS[verb].target, args);
  } catch (refused) {
    if (!(refused instanceof SetupRefused)) throw refused;
    return report(refused.problems, args);
  }
}

/** Linked as `tidelock`, every argument is the agent's; else the first one is ours. */
function parse([, script, verb = '', ...args]) {
  if (basename(script) !== 'tidelock') return { verb, args };
  return { verb: 'tidelock', args: process.argv.slice(2) };
}

/** Says every problem; with `-o json` the first is also the one document on stdout. */
function report(problems, args) {
  for (const { code, message, hint } of problems) {
    process.stderr.write(`${code}: ${message}\n  ${hint}\n`);
  }
  const { code, message, hint } = problems[0];
  if (/(^| )(-o|--output)[ =]?json( |$)/.test(args.join(' '))) {
    const error = { code, op: 'setup', message, hint, retryable: code === 'SETUP_OFFLINE' };
    process.stdout.write(`${JSON.stringify({ error })}\n`);
  }
  return EXIT[code] || 6;
}

const say = (text) => process.stderr.write(`setup: ${text}\n`);

// --- what is missing ------------------------------------------------------------------------------

/** `modules`: node_modules is absent, partial or stale. `packages`: Debian packages to install. */
function missing(verb, args) {
  const wanted = VERBS[verb].debian(args) ? Object.keys(PACKAGES) : [];
  return {
    modules: !modulesInstalled(),
    packages: wanted.filter((name) => !PACKAGES[name].programs.every(isProgram)),
  };
}

/**
 * Whether node_modules is what package-lock.json says. npm writes its hidden lock file last, so
 * that its presence also tells that the installation went through.
 */
function modulesInstalled() {
  const wanted = readJson(join(ROOT, 'package-lock.json'));
  const present = readJson(HIDDEN_LOCK);
  if (!wanted || !present || !allows(NODE, mode.X_OK)) return false;
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

function allows(path, access) {
  try {
    accessSync(path, access);
    return true;
  } catch {
    return false;
  }
}

/** PATH without our own programs, and with the system folders that `su` leaves out. */
const SYSTEM_PATH = (process.env.PATH || '')
  .split(delimiter)
  .concat('/usr/local/sbin', '/usr/sbin', '/sbin')
  .filter((folder, i, all) => folder !== '' && folder !== BIN && all.indexOf(folder) === i);

const isProgram = (name) => SYSTEM_PATH.some((folder) => allows(join(folder, name), mode.X_OK));

// --- installing -----------------------------------------------------------------------------------

/** Every problem is looked for before anything is changed; then npm's part, then Debian's. */
async function install(verb, args) {
  const problems = unsupported(missing(verb, args));
  if (problems.length > 0) throw new SetupRefused(problems);
  const locks = [await lock(ROOT)];
  try {
    const need = missing(verb, args); // another setup may have done it while we waited
    if (need.packages.length > 0) {
      locks.push(await lock('/var/lib/apt'));
      await download(need.packages);
    }
    if (need.modules) refuseOffline();
    const held = locks.map((each) => each.held);
    if (need.modules) await installModules(held);
    if (need.packages.length > 0) await installPackages(need.packages, held);
    say('everything is in place');
  } finally {
    for (const each of locks) each.release();
  }
}

/** What no installation can mend. */
function unsupported({ modules, packages }) {
  const { platform, arch, versions } = process;
  const names = packages.join(' ');
  const checks = [
    [
      Number(versions.node.split('.')[0]) >= 20,
      'SETUP_UNSUPPORTED',
      `Cannot set up tidelock: this is Node ${versions.node}, 20 or later is needed`,
      'Install a newer Node from nodejs.org or Debian 13; tidelock then brings its own Node 26.',
    ],
    [
      platform === 'linux' && ['x64', 'arm64'].includes(arch),
      'SETUP_UNSUPPORTED',
      `Cannot set up tidelock: ${platform} on ${arch} is not supported`,
      'Use Linux on x64 or arm64; tidelock is made of network namespaces and nftables.',
    ],
    [
      !modules || isProgram('npm'),
      'SETUP_UNSUPPORTED',
      'Cannot install the npm packages: npm is not on the PATH',
      'Install npm: it comes with Node from nodejs.org, and Debian has it as the package npm.',
    ],
    [
      !modules || allows(ROOT, mode.W_OK),
      'SETUP_UNSUPPORTED',
      `Cannot install the npm packages: ${ROOT} is not writable`,
      'Run as the owner of the checkout, or as root.',
    ],
    [
      packages.length === 0 || isProgram('apt-get'),
      'SETUP_UNSUPPORTED',
      `Cannot install ${names}: this machine has no apt-get`,
      'Use Debian 12 or later, or install these programs by the means of your distribution.',
    ],
    [
      packages.length === 0 || process.getuid() === 0,
      'ROOT_REQUIRED',
      `Cannot install ${names}: not root`,
      `Run as root (sudo npm start), or first run: sudo apt-get install ${names}`,
    ],
  ];
  return checks
    .filter(([holds]) => !holds)
    .map(([, code, message, hint]) => ({ code, message, hint }));
}

/**
 * flock(2) on a folder: no lock file stays, and the kernel frees it whatever happens. It is held
 * until release(), and for as long as a child lives that was given `held` among its descriptors.
 */
function lock(folder) {
  return new Promise((resolve, reject) => {
    const holder = spawn('flock', [folder, 'cat'], {
      stdio: ['pipe', 'pipe', 2],
      detached: true, // Ctrl-C must not free it under an npm that is still writing
      env: installEnv(),
    });
    const waiting = setTimeout(() => say('waiting for another setup to end'), 1000);
    const failed = (cause) => {
      clearTimeout(waiting);
      const message = `Cannot lock ${folder}: flock ended (${cause.message || cause})`;
      const hint = 'Its package is util-linux; it keeps two setups at the same time apart.';
      reject(new SetupRefused([{ code: 'SETUP_FAILED', message, hint }]));
    };
    holder.once('error', failed);
    holder.once('exit', failed);
    holder.stdin.on('error', () => undefined); // told by exit
    holder.stdin.write('locked\n');
    holder.stdout.once('data', () => {
      clearTimeout(waiting);
      resolve({ held: holder.stdin, release: () => holder.stdin.end() });
    });
  });
}

/** Asks the registry for the largest package that will be installed. */
function refuseOffline() {
  const name = `node-linux-${process.arch}`;
  const { version } = readJson(join(ROOT, 'package-lock.json')).packages[`node_modules/${name}`];
  say(`asking the npm registry for ${name} ${version}`);
  const options = ['--fetch-retries=0', '--fetch-timeout=20000', '--loglevel=error'];
  const answer = spawnSync('npm', ['view', `${name}@${version}`, 'version', ...options], {
    cwd: ROOT,
    env: installEnv(),
    stdio: ['ignore', 'pipe', 2],
  });
  if (answer.status === 0 && String(answer.stdout).includes(version)) return;
  refuse(
    'SETUP_OFFLINE',
    `Cannot install the npm packages: the registry did not offer ${name} ${version}`,
    `Check the network, npm config get registry and https_proxy, ${NOTHING_CHANGED}`,
  );
}

async function installModules(held) {
  say('installing the npm packages of package-lock.json, Node 26 among them');
  rmSync(HIDDEN_LOCK, { force: true }); // from here on, killed half way reads as not installed
  const argv = ['npm', 'ci', '--include=dev', '--include=optional', '--loglevel=error'];
  const code = await run(argv, { cwd: ROOT, env: installEnv(), stdio: ['ignore', 2, 2, ...held] });
  if (code === 0 && modulesInstalled() && spawnSync(NODE, ['--version']).status === 0) return;
  refuse(
    'SETUP_FAILED',
    `Cannot install the npm packages: npm ci ended with ${code}`,
    'What npm said stands above. Start again once it is mended; a partial node_modules is replaced.',
  );
}

/** Fetches without installing; refreshes the package lists only when that is what it takes. */
async function download(packages) {
  if (readdirSync('/var/lib/dpkg/updates').length > 0) return; // dpkg needs repair first
  const fetch = ['apt-get', ...FETCH_OPTIONS, '--no-install-recommends', '--download-only'];
  const attempt = (stdio) => run([...fetch, 'install', ...packages], { env: installEnv(), stdio });
  say(`fetching from Debian: ${packages.join(' ')}`);
  if ((await attempt(['ignore', 2, 'ignore'])) === 0) return;
  say('refreshing the package lists');
  const stdio = ['ignore', 2, 2];
  await run(['apt-get', ...FETCH_OPTIONS, 'update'], { env: installEnv(), stdio });
  if ((await attempt(stdio)) === 0) return;
  refuse(
    'SETUP_OFFLINE',
    `Cannot install ${packages.join(' ')}: apt-get could not fetch them`,
    `What apt-get said stands above. Check the network and /etc/apt/sources.list, ${NOTHING_CHANGED}`,
  );
}

async function installPackages(packages, held) {
  say(`installing from Debian: ${packages.join(' ')} (no service is started)`);
  const services = packages.flatMap((name) => PACKAGES[name].services || []);
  const pattern = services.flatMap((name) => [name, `${name}.service`]).join('|') || 'none';
  const argv = ['sh', '-c', INSTALL_PACKAGES, 'setup', packages.join(' '), services.join(' ')];
  const stdio = ['ignore', 2, 2, ...held];
  const code = await run([...argv, pattern], { env: installEnv(), stdio });
  if (code === 0) return;
  refuse(
    'SETUP_FAILED',
    `Cannot install ${packages.join(' ')}: apt-get ended with ${code}`,
    'What apt-get said stands above. Mend it (often with apt-get -f install) and start again.',
  );
}

/** npm and apt-get run with the machine's own Node and ask nothing. */
function installEnv() {
  const quiet = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  return { ...process.env, ...quiet, PATH: SYSTEM_PATH.join(delimiter) };
}

// --- running --------------------------------------------------------------------------------------

/** The target under Node 26. It is told our pid, so that it can end itself when we are killed. */
function runTarget([script, ...first], args) {
  return run([NODE, join(ROOT, script), ...first, ...args], {
    stdio: 'inherit',
    cwd: script.startsWith('node_modules/') ? ROOT : process.cwd(),
    env: {
      ...process.env,
      PATH: [BIN, ...SYSTEM_PATH].join(delimiter),
      TIDELOCK_PARENT_PID: String(process.pid),
    },
  });
}

/**
 * Runs `argv` to its end and passes signals on. Ctrl-C on a terminal reaches the child by itself,
 * so SIGINT is passed on only where there is none. Resolves to the exit code as a shell has it.
 */
function run(argv, options) {
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), options);
    const pass = (signal) => (signal === 'SIGINT' && isatty(0) ? undefined : child.kill(signal));
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    const end = (code) => {
      for (const signal of signals) process.removeListener(signal, pass);
      resolve(code);
    };
    for (const signal of signals) process.on(signal, pass);
    child.once('error', (error) => {
      say(`${argv[0]} did not start: ${error.message}`);
      end(127);
    });
    child.once('exit', (code, signal) => end(code === null ? 128 + os.signals[signal] : code));
  });
}

main().then((code) => {
  process.exitCode = code;
});
