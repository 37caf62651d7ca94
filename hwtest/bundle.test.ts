// The bundle as files: complete, without node_modules, and its programs start where nothing else can
// be read. That it carries traffic is shown by bundle.hw.test.ts.
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundle } from '#daemonset/bundle.ts';

const PROGRAMS = ['dataPlane.mjs', 'hostWorker.mjs', 'laneWorker.mjs', 'tidelock.mjs'];

let dir: string;
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'tl-bundle-')));
  await bundle(dir);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Node on `argv`, in the bundle's folder, with nothing of this process's environment. */
const node = (...argv: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, argv, { cwd: dir, env: {}, encoding: 'utf8' });

describe('bundle()', () => {
  test('makes the programs, the addon and what must go with them', () => {
    const files = readdirSync(dir);
    expect(files).toEqual(expect.arrayContaining([...PROGRAMS, 'koffi.node', 'package.json']));
    expect(files).not.toContain('node_modules');
  });

  test('names the licence of every package that is in it', () => {
    const licences = readFileSync(join(dir, 'THIRD-PARTY-LICENSES'), 'utf8');
    for (const name of ['koffi', 'zod', 'yaml', '@nats-io/transport-node', '@noble/hashes']) {
      expect(licences).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'));
    }
  });

  test.each(PROGRAMS)('leaves %s nothing to import but built-in modules', (program) => {
    const text = readFileSync(join(dir, program), 'utf8');
    const imported = [...text.matchAll(/^(?:import|export)\b[^;]*? from "([^"]+)";$/gm)];
    expect(imported.length).toBeGreaterThan(0); // else the scan itself is broken
    const names = imported.map(([, name = '']) => name.replace(/^node:/, ''));
    expect(names.filter((name) => !builtinModules.includes(name))).toEqual([]);
  });

  test('starts as tidelock on Node alone', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    const { status, stdout, stderr } = node('tidelock.mjs', 'version');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toBe(`tidelock ${version} (node ${process.versions.node})\n`);
  });

  test('makes tidelock a program of its own, also by a link', () => {
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    symlinkSync(join(dir, 'tidelock.mjs'), join(bin, 'tidelock'));
    symlinkSync(process.execPath, join(bin, 'node'));
    const env = { PATH: bin };
    const { status, stdout } = spawnSync(join(bin, 'tidelock'), ['help'], {
      env,
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('agent run') });
  });

  test('says where a verb can be run that needs a checkout', () => {
    const { status, stdout } = node('tidelock.mjs', 'demo', '-o', 'json');
    expect(status).toBe(6);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'SETUP_UNSUPPORTED' } });
  });

  test('starts a data plane that may read nothing but the bundle', () => {
    // Loaded to its end, addon included, it ends because descriptor 3 is not its channel.
    const { status, stderr } = node(
      '--permission',
      '--allow-addons',
      '--allow-worker',
      '--allow-net',
      `--allow-fs-read=${dir}/`,
      'dataPlane.mjs',
    );
    expect(stderr).toContain('ERR_INVALID_FD_TYPE');
    expect(stderr).not.toContain('ERR_ACCESS_DENIED');
    expect(status).toBe(1);
  });
});
