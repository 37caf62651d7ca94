// `tidelock demo` as a user runs it, in a process of its own: what it proves, how it ends, and that
// nothing of it stays.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '#agent/base/run.ts';
import { readJournals } from '#hwtest/rig/journal.ts';
import { leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import type { DemoResult } from './result.ts';

const MAIN = `${import.meta.dirname}/../../agent/main.ts`;

let outDir = '';
beforeAll(() => {
  outDir = mkdtempSync(`${tmpdir()}/tidelock-demo-test-`);
});
afterAll(() => rmSync(outDir, { recursive: true }));

interface Running {
  readonly child: ChildProcess;
  readonly stdout: Promise<string>;
  readonly exit: Promise<number | null>;
  /** Resolves when a line of progress contains `part`. */
  progress(part: string): Promise<void>;
}

function start(...flags: readonly string[]): Running {
  const argv = [MAIN, 'demo', '-o', 'json', '--out', outDir, ...flags];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = createInterface(child.stderr);
  return {
    child,
    stdout: text(child.stdout),
    exit: once(child, 'exit').then(([code]: (number | null)[]) => code ?? null),
    progress: (part) =>
      new Promise((resolve, reject) => {
        lines.on('line', (line) => line.includes(part) && resolve());
        lines.once('close', () => reject(new Error(`ended before it said: ${part}`)));
      }),
  };
}

/** The rig that a process owns. */
const rigOf = (pid: number | undefined): string | undefined =>
  readJournals().find(({ journal }) => journal.owner.pid === pid)?.journal.id;

describe('tidelock demo', () => {
  test('demo --for 30 -o json proves the main job and leaves nothing', async () => {
    const demo = start('--for', '30');
    const [stdout, code] = await Promise.all([demo.stdout, demo.exit]);
    const result = JSON.parse(stdout) as DemoResult & { readonly kind: string };
    expect(result).toMatchObject({
      apiVersion: 'tidelock/v1',
      kind: 'DemoResult',
      ok: true,
      nodes: [
        { name: 'node-a', verdict: 'affirming' },
        { name: 'node-b', verdict: 'affirming' },
      ],
      epochs: { periodMs: 5_000 },
      traffic: { failures: 0, breaches: 0 },
      wire: { plaintextHits: 0, dropped: 0 },
      cleanup: { leftovers: 0 },
    });
    expect(code).toBe(0);
    expect(JSON.parse(readFileSync(`${outDir}/result.json`, 'utf8'))).toEqual(result);
    expect(result.epochs.slots).toBeGreaterThanOrEqual(6);
    expect(result.epochs.chains).toBeGreaterThanOrEqual(4);
    expect(result.epochs.algorithms.length).toBeGreaterThanOrEqual(2);
    expect(result.traffic.requests).toBeGreaterThan(1_000);
    expect(result.lanes.opened).toBeGreaterThan(0);
    expect(result.lanes.refused, 'the stranger was refused').toBeGreaterThan(0);
    expect(result.wire.packets).toBeGreaterThan(100);
    expect(result.wire.controlHits).toBeGreaterThan(0);
    for (const node of result.nodes) {
      expect(node.pcrs.map(({ pcr }) => pcr)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 10, 11]);
      const trust = ['--owner', `${outDir}/owner.pub`, '--roots', `${outDir}/ek-roots`];
      const verify = [
        process.execPath,
        MAIN,
        'verify',
        node.report,
        ...trust,
        '-o',
        'json',
      ] as const;
      const { stdout: verified } = await run(verify);
      expect(JSON.parse(verified.toString())).toMatchObject({
        kind: 'Verification',
        verdict: 'affirming',
        node: { name: node.name },
      });
    }
    expect(readdirSync(outDir).sort()).toEqual([
      'ek-roots',
      'node-a.html',
      'node-a.json',
      'node-a.log',
      'node-a.status.json',
      'node-b.html',
      'node-b.json',
      'node-b.log',
      'node-b.status.json',
      'owner.pub',
      'result.json',
    ]);
  });

  test('demo ends on SIGINT with a result and leaves nothing', async () => {
    const demo = start();
    await demo.progress('main run');
    const id = rigOf(demo.child.pid);
    demo.child.kill('SIGINT');
    const [stdout, code] = await Promise.all([demo.stdout, demo.exit]);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'DemoResult', ok: true });
    expect(code).toBe(0);
    expect(id).toBeDefined();
    expect(totalOf(await leftovers(id))).toBe(0);
  });

  test('demo interrupted before the agents run says so and leaves nothing', async () => {
    const demo = start();
    await demo.progress('starting nginx');
    const id = rigOf(demo.child.pid);
    demo.child.kill('SIGTERM');
    const [stdout, code] = await Promise.all([demo.stdout, demo.exit]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'DEMO_INTERRUPTED' } });
    expect(code).toBe(1);
    expect(id).toBeDefined();
    expect(totalOf(await leftovers(id))).toBe(0);
  });

  test('demo --clean removes what kill -9 left, agents and their rules included', async () => {
    const demo = start();
    await demo.progress('main run');
    const id = rigOf(demo.child.pid);
    demo.child.kill('SIGKILL');
    await demo.exit;
    expect((await leftovers(id)).namespaces).toBeGreaterThan(0);
    const clean = start('--clean');
    expect(JSON.parse(await clean.stdout)).toMatchObject({
      kind: 'DemoCleaned',
      removed: [id],
      leftovers: 0,
    });
    expect(await clean.exit).toBe(0);
    expect(totalOf(await leftovers(id))).toBe(0);
  });

  test('demo refuses a directory that it cannot write to before it changes anything', async () => {
    const argv = [MAIN, 'demo', '-o', 'json', '--out', '/proc/none'];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'ignore'] });
    const [stdout] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'FILE_UNWRITABLE' } });
    expect(child.exitCode).toBe(6);
  });
});
