// setup.js against a checkout of its own with stand-ins for npm and the targets: what it installs,
// when it does nothing, and how signals and exit codes pass through. The Debian half changes the
// machine, so its installation is not run here.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** The stand-in for npm: `view` answers, `ci` makes what npm makes; both are noted in `log`. */
const NPM = `#!/bin/sh
echo "$1" >> "$TIDELOCK_TEST_LOG"
case "$1" in
  view) [ -z "$TIDELOCK_TEST_OFFLINE" ] || { echo 'npm error code ENOTFOUND' >&2; exit 1; }; echo 1.0.0 ;;
  ci)
    mkdir -p node_modules/.bin
    node=node_modules/.bin/node
    [ -z "$TIDELOCK_TEST_NPM9" ] || { mkdir -p "$TIDELOCK_TEST_NPM9"; node=$TIDELOCK_TEST_NPM9/node; }
    ln -sf "$TIDELOCK_TEST_NODE" "$node"
    sleep "\${TIDELOCK_TEST_SLOW:-0}"
    cp package-lock.json node_modules/.package-lock.json ;;
esac
`;

/** The stand-in for the agent: tells how it was called, then waits for a signal or ends. */
const MAIN = `
const [verb, ...args] = process.argv.slice(2);
if (verb === 'wait') {
  process.on('SIGTERM', () => process.exit(42));
  process.on('SIGINT', () => process.exit(43));
  setInterval(() => undefined, 1000);
  console.log('ready');
} else if (verb === 'die') {
  process.kill(process.pid, 'SIGKILL');
} else {
  const cwd = process.cwd();
  console.log(JSON.stringify({ verb, args, cwd, parent: process.env.TIDELOCK_PARENT_PID }));
  process.exitCode = 7;
}
`;

const NODE_PACKAGE = `node_modules/node-linux-${process.arch}`;

let checkout: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  checkout = join(mkdtempSync(join(tmpdir(), 'tidelock-setup-')), 'a path with spaces');
  mkdirSync(join(checkout, 'agent'), { recursive: true });
  mkdirSync(join(checkout, 'bin'));
  cpSync('setup.js', join(checkout, 'setup.js'));
  cpSync('hwtest/setup', join(checkout, 'hwtest/setup'), { recursive: true });
  writeFileSync(join(checkout, 'agent/main.ts'), MAIN);
  const imports = { '#hwtest/*': './hwtest/*' };
  writeFileSync(join(checkout, 'package.json'), JSON.stringify({ type: 'module', imports }));
  lockVersion('1.0.0');
  writeFileSync(join(checkout, 'bin/npm'), NPM);
  chmodSync(join(checkout, 'bin/npm'), 0o755);
  env = {
    PATH: `${join(checkout, 'bin')}:/usr/bin:/bin`,
    TIDELOCK_TEST_LOG: join(checkout, 'log'),
    TIDELOCK_TEST_NODE: process.execPath,
  };
});

afterEach(() => rmSync(join(checkout, '..'), { recursive: true }));

function lockVersion(version: string): void {
  const packages = {
    '': { name: 'x' },
    [NODE_PACKAGE]: { version: '1.0.0', integrity: 'sha512-a', optional: true },
    'node_modules/zod': { version, integrity: `sha512-${version}` },
  };
  writeFileSync(join(checkout, 'package-lock.json'), JSON.stringify({ packages }));
}

/** What npm was asked for so far. */
const npmCalls = (): string[] =>
  existsSync(join(checkout, 'log'))
    ? readFileSync(join(checkout, 'log'), 'utf8').trim().split('\n')
    : [];

const setup = (args: readonly string[], extra: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [join(checkout, 'setup.js'), ...args], {
    env: { ...env, ...extra },
    encoding: 'utf8',
  });

const start = (args: readonly string[], extra: NodeJS.ProcessEnv = {}) =>
  spawn(process.execPath, [join(checkout, 'setup.js'), ...args], {
    env: { ...env, ...extra },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

const exitOf = async (child: ReturnType<typeof start>): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', resolve));

describe('setup.js', () => {
  it('setup.js installs, says so on stderr, and runs the verb with its arguments and exit code', () => {
    const { status, stdout, stderr } = setup(['tidelock', 'status', '-o', 'json']);
    expect(npmCalls()).toEqual(['view', 'ci']);
    expect(stderr).toContain('setup: installing the npm packages');
    expect(JSON.parse(stdout)).toMatchObject({ verb: 'status', args: ['-o', 'json'] });
    expect(status).toBe(7);
  });

  it('setup.js does nothing and says nothing the second time', () => {
    setup(['tidelock', 'status']);
    const { stderr } = setup(['tidelock', 'status']);
    expect(npmCalls()).toEqual(['view', 'ci']);
    expect(stderr).toBe('');
  });

  it('setup.js links the Node of the project where npm 9 has removed the link', () => {
    const { status } = setup(['tidelock', 'status'], { TIDELOCK_TEST_NPM9: `${NODE_PACKAGE}/bin` });
    expect(status).toBe(7);
    expect(readlinkSync(join(checkout, 'node_modules/.bin/node'))).toMatch(
      /^\.\.\/node-linux-\w+\/bin\/node$/,
    );
  });

  it('setup.js tells the target its own pid', async () => {
    setup(['tidelock', 'status']);
    const child = start(['tidelock', 'status']);
    const { parent } = JSON.parse(await text(child.stdout)) as { parent: string };
    expect(parent).toBe(String(child.pid));
  });

  it('setup.js runs the target where npm run tidelock was called, and where it is itself otherwise', () => {
    setup(['tidelock', 'status']);
    const cwdUnder = (script: string): unknown => {
      const npm = { npm_lifecycle_event: script, INIT_CWD: join(checkout, 'agent') };
      return (JSON.parse(setup(['tidelock', 'status'], npm).stdout) as { cwd: unknown }).cwd;
    };
    expect(cwdUnder('tidelock')).toBe(join(checkout, 'agent'));
    expect(cwdUnder('test')).toBe(process.cwd());
  });

  it('setup.js installs again when the lock file has changed', () => {
    setup(['tidelock', 'status']);
    lockVersion('1.0.1');
    setup(['tidelock', 'status']);
    expect(npmCalls()).toEqual(['view', 'ci', 'view', 'ci']);
  });

  it('setup.js installs again when the installation did not come to its end', () => {
    setup(['tidelock', 'status']);
    rmSync(join(checkout, 'node_modules/.package-lock.json'));
    setup(['tidelock', 'status']);
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), '{"pack');
    setup(['tidelock', 'status']);
    rmSync(join(checkout, 'node_modules/.bin/node'));
    setup(['tidelock', 'status']);
    expect(npmCalls().filter((call) => call === 'ci')).toHaveLength(4);
  });

  it('setup.js lets one of two at the same time install, and both go on', async () => {
    const both = [1, 2].map(() => start(['tidelock', 'status'], { TIDELOCK_TEST_SLOW: '0.3' }));
    expect(await Promise.all(both.map(exitOf))).toEqual([7, 7]);
    expect(npmCalls()).toEqual(['view', 'ci']);
  });

  it('setup.js changes nothing when the registry does not answer', () => {
    const { status, stderr } = setup(['tidelock', 'status'], { TIDELOCK_TEST_OFFLINE: '1' });
    expect(status).toBe(6);
    expect(stderr).toMatch(/SETUP_OFFLINE: Cannot install .*ENOTFOUND.*\n {2}Check the network/);
    expect(npmCalls()).toEqual(['view']);
    expect(existsSync(join(checkout, 'node_modules'))).toBe(false);
  });

  it('setup.js reports every problem, and with -o json the first as the one document', () => {
    rmSync(join(checkout, 'package-lock.json'));
    rmSync(join(checkout, 'bin/npm'));
    const { status, stdout, stderr } = setup(['tidelock', 'status', '-o', 'json'], {
      PATH: join(checkout, 'bin'),
    });
    expect(status).toBe(6);
    expect(stderr).toContain('package-lock.json: absent or cut off');
    expect(stderr).toContain('npm is not on the PATH');
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'SETUP_UNSUPPORTED', op: 'setup', retryable: false },
    });
  });

  it('setup.js refuses an unknown verb and names those there are', () => {
    for (const verb of ['deploy', '', 'toString']) {
      const { status, stderr } = setup([verb]);
      expect(status).toBe(2);
      expect(stderr).toContain('demo, tidelock, test, soak, rig, bundle, install');
    }
  });

  it('setup.js passes signals on and ends with what the target makes of them', async () => {
    setup(['tidelock', 'status']);
    for (const [signal, code] of [
      ['SIGTERM', 42],
      ['SIGINT', 43],
    ] as const) {
      const child = start(['tidelock', 'wait']);
      const ended = exitOf(child);
      child.stdout.once('data', () => child.kill(signal));
      expect(await ended).toBe(code);
    }
  });

  it('setup.js ends as a shell does when the target is killed', () => {
    expect(setup(['tidelock', 'die']).status).toBe(137);
  });
});
