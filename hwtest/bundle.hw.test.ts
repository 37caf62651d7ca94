// `tidelock agent run` from the bundle, on two nodes, in a folder without node_modules: enrolled,
// attested and carrying a request, its data plane able to read that folder and nothing else.
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle } from '#daemonset/bundle.ts';
import { startNginx } from '#hwtest/rig/servers.ts';
import { fetchFrom, NODES, pod, twoNodes, type TwoNodes } from '#hwtest/suites/twoNodes.ts';

let dir: string;
let both: TwoNodes;
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'tl-bundle-')));
  await bundle(dir);
  both = await twoNodes({
    pods: [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')],
    program: [process.execPath, join(dir, 'tidelock.mjs')],
  });
}, 300_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const argvOf = (pid: number | undefined): string[] =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);

test('agents from the bundle carry a request between pods of two nodes', async () => {
  const server = both.rig.pod('server');
  await startNginx(server.place, `${server.dir}/nginx`, 'from the bundle');
  const { stdout, stderr } = await fetchFrom(both, 'client', server);
  expect(stdout.toString(), stderr).toBe('from the bundle\n');
  const { lanes } = await both.agent('node-b').status();
  expect(lanes.openedIn).toBeGreaterThan(0);
});

test.each(NODES)('the data plane of %s runs from the bundle and may read no more', async (name) => {
  const { dataPlane } = await both.agent(name).status();
  const argv = argvOf(dataPlane.pid);
  expect(argv.at(-1)).toBe(join(dir, 'dataPlane.mjs'));
  expect(argv.filter((flag) => flag.startsWith('--allow-fs'))).toEqual([`--allow-fs-read=${dir}/`]);
});
