#!/usr/bin/env node
// The way in: installs what is missing from npm and Debian, then runs a verb under the project's
// own Node. It decides nothing about the product and writes progress to stderr only. It runs under
// the machine's own Node: no dependency, no syntax newer than ES2019, so that an old one gets a
// message to act on.
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  fetchPackages,
  installPackages,
  missingLibraries,
  missingPackages,
  packageChecks,
  wasInterrupted,
} from '#hwtest/setup/debian.js';
import {
  installModules,
  moduleChecks,
  modulesInstalled,
  ownNode,
  refuseOffline,
} from '#hwtest/setup/modules.js';
import { lock, refuse, run, say, SetupRefused, SYSTEM_PATH } from '#hwtest/setup/steps.js';

const ROOT = dirname(fileURLToPath(import.meta.url));

const noHelp = (args) => !args.includes('--help') && !args.includes('-h');

/**
 * What each verb runs under the project's Node, whether it needs the Debian packages, and whether those of
 * the soak too.
 */
const VERBS = {
  demo: { target: ['agent/main.ts', 'demo'], debian: noHelp },
  tidelock: { target: ['agent/main.ts'], debian: (args) => args[0] === 'demo' && noHelp(args) },
  test: {
    target: [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...['unit', 'parts', 'rigs', 'hw'].flatMap((name) => ['--project', name]),
    ],
    debian: noHelp,
    soaks: true,
  },
  soak: { target: ['hwtest/soak/main.ts'], debian: noHelp, soaks: true },
  rig: { target: ['hwtest/ci/rig.ts'], debian: (args) => args[0] === 'up' && noHelp(args) },
  bundle: { target: ['daemonset/bundle.ts'], debian: () => false },
  install: { target: [], debian: () => true },
  modules: { target: [], debian: () => false },
};

/** Exit codes as in agent/base/codes.ts; a code that is not here ends with 6. */
const EXIT = { USAGE: 2, SETUP_FAILED: 1 };

async function main() {
  const { verb, args } = parse(process.argv);
  try {
    const verbs = Object.keys(VERBS);
    if (!verbs.includes(verb)) {
      const hint = `The verbs are ${verbs.join(', ')}. To begin: npm start`;
      refuse('USAGE', `Cannot run setup.js ${verb}: no such verb`, hint);
    }
    if (verb === 'test' && noHelp(args) && process.getuid() !== 0) {
      const hint =
        'Suites build network namespaces: sudo npm test. npm run test:unit needs no root.';
      refuse('ROOT_REQUIRED', 'Cannot run the tests: not root', hint);
    }
    const needed = missing(verb, args);
    if (needed.modules || needed.debian) await install(verb, args, needed);
    const { target } = VERBS[verb];
    return target.length === 0 ? 0 : await runTarget(target, args);
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

/** `modules`: node_modules is absent, partial or stale. `debian`: packages are, named or not. */
function missing(verb, args) {
  const modules = !modulesInstalled(ROOT);
  const libraries = missingLibraries();
  if (!VERBS[verb].debian(args)) {
    return { modules, debian: libraries.length > 0, packages: libraries };
  }
  const packages = [...libraries, ...missingPackages(VERBS[verb].soaks)];
  const unfinished = process.getuid() === 0 && wasInterrupted();
  return { modules, debian: packages.length > 0 || unfinished, packages };
}

/** Every problem is looked for before anything is changed; then Debian's part, then npm's. */
async function install(verb, args, { modules, debian, packages }) {
  const checks = [
    ...machineChecks(),
    ...(modules ? moduleChecks(ROOT) : []),
    ...(debian ? packageChecks(packages) : []),
  ];
  const failed = checks.filter(([holds]) => !holds);
  if (failed.length > 0) {
    throw new SetupRefused(failed.map(([, code, message, hint]) => ({ code, message, hint })));
  }
  const locks = [await lock(ROOT)];
  if (debian) locks.push(await lock('/var/lib/apt'));
  try {
    const needed = missing(verb, args); // another setup may have done it while we waited
    const held = locks.map((each) => each.held);
    if (needed.debian) await fetchPackages(needed.packages);
    if (needed.modules) refuseOffline(ROOT);
    if (needed.debian) await installPackages(needed.packages, held);
    if (needed.modules) await installModules(ROOT, held);
    say('everything is in place');
  } finally {
    for (const each of locks) each.release();
  }
}

/** What no installation can mend, as `[holds, code, message, hint]`. */
function machineChecks() {
  const { platform, arch, versions } = process;
  return [
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
  ];
}

/** The target under Node 26. It is told our pid, so that it can end itself when we are killed. */
function runTarget([script, ...first], args) {
  return run([ownNode(ROOT), join(ROOT, script), ...first, ...args], {
    stdio: 'inherit',
    cwd: script.startsWith('node_modules/') ? ROOT : callersDirectory(),
    env: {
      ...process.env,
      PATH: [dirname(ownNode(ROOT)), ...SYSTEM_PATH].join(delimiter),
      TIDELOCK_PARENT_PID: String(process.pid),
    },
  });
}

/** `npm run tidelock` starts us at the top of the package; the paths it is given are the caller's. */
function callersDirectory() {
  const { npm_lifecycle_event: script, INIT_CWD: directory } = process.env;
  return script === 'tidelock' && directory ? directory : process.cwd();
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

void main().then((code) => {
  process.exitCode = code;
});
