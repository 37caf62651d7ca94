// What the steps of the setup share: refusing with a remedy, saying what is done, running a program
// with signals passed on, the PATH of the machine, a lock. Like setup.js it runs under the machine's
// own Node: no dependency, no syntax newer than ES2019.
import { spawn } from 'node:child_process';
import { accessSync, constants as mode } from 'node:fs';
import { constants as os } from 'node:os';
import { delimiter, join } from 'node:path';
import { isatty } from 'node:tty';

/** One or more problems, each `{code, message, hint}` in the form of docs/errors.md. */
export class SetupRefused extends Error {
  constructor(problems) {
    super(problems[0].message);
    this.problems = problems;
  }
}

/** Ends the setup with one problem. */
export function refuse(code, message, hint) {
  throw new SetupRefused([{ code, message, hint }]);
}

/** One line of progress, on stderr. */
export const say = (text) => process.stderr.write(`setup: ${text}\n`);

/** The first line of what a program said, to stand inside a message. */
export const firstLine = (text) => text.trim().split('\n')[0] || 'it said nothing';

/** Whether this process may `access` (constants of node:fs) the path. */
export function allows(path, access) {
  try {
    accessSync(path, access);
    return true;
  } catch {
    return false;
  }
}

/** PATH without `node_modules/.bin`, and with the system folders that `su` leaves out. */
export const SYSTEM_PATH = (process.env.PATH || '')
  .split(delimiter)
  .concat('/usr/local/sbin', '/usr/sbin', '/sbin')
  .filter((folder) => folder !== '' && !folder.endsWith(join('node_modules', '.bin')))
  .filter((folder, i, all) => all.indexOf(folder) === i);

/** Whether a program of this name is on SYSTEM_PATH. */
export const isProgram = (name) =>
  SYSTEM_PATH.some((folder) => allows(join(folder, name), mode.X_OK));

const MULTIARCH = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** Whether the dynamic linker has a library of this name, by the folders that distributions use. */
export const isLibrary = (name) =>
  ['lib', 'lib64', `lib/${MULTIARCH[process.arch]}`].some((folder) =>
    ['/', '/usr'].some((prefix) => allows(join(prefix, folder, name), mode.R_OK)),
  );

/** Installers run with the machine's own Node and ask nothing. */
export const installEnv = () => ({
  ...process.env,
  DEBIAN_FRONTEND: 'noninteractive',
  NEEDRESTART_SUSPEND: '1',
  PATH: SYSTEM_PATH.join(delimiter),
});

/**
 * Runs `argv` to its end and passes signals on. Ctrl-C on a terminal reaches the child by itself,
 * so SIGINT is passed on only where there is none. Resolves to the exit code as a shell has it.
 */
export function run(argv, options, onSpawn = () => undefined) {
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), options);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    const pass = (signal) => {
      if (signal !== 'SIGINT' || !isatty(0)) child.kill(signal);
    };
    const end = (code) => {
      for (const signal of signals) process.removeListener(signal, pass);
      resolve(code);
    };
    for (const signal of signals) process.on(signal, pass);
    child.once('error', (error) => {
      say(`${argv[0]} did not start: ${error.message}`);
      end(127);
    });
    child.once('close', (code, signal) => end(code === null ? 128 + os.signals[signal] : code));
    onSpawn(child);
  });
}

/**
 * flock(2) on a folder: no lock file stays, and the kernel frees it whatever happens. It is held
 * until release(), and for as long as a child lives that was given `held` among its descriptors.
 */
export function lock(folder) {
  return new Promise((resolve, reject) => {
    const holder = spawn('flock', [folder, 'cat'], {
      stdio: ['pipe', 'pipe', 2],
      detached: true, // Ctrl-C must not free it under an installer that is still writing
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
