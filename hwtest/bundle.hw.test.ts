// `tidelock agent run` from the bundle, on two nodes, in a folder without node_modules and with the
// capabilities that the DaemonSet grants: enrolled, attested and carrying a request, its data plane
// able to read that folder and nothing else.
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseDocument, type Scalar, type YAMLSeq } from 'yaml';
import { bundle } from '#daemonset/bundle.ts';
import { startNginx } from '#hwtest/rig/servers.ts';
import { WITH_TRACEFS } from '#hwtest/rig/tracefs.ts';
import {
  eventually,
  fetchFrom,
  NODES,
  pod,
  twoNodes,
  type TwoNodes,
} from '#hwtest/suites/twoNodes.ts';

const CAPABILITIES = 'spec.template.spec.containers.0.securityContext.capabilities.add'.split('.');

let dir: string;
let both: TwoNodes;
beforeAll(async () => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'tl-bundle-')));
  await bundle(dir);
  const bounding = `--bounding-set=${['-all', ...granted().map((name) => `+${name}`)].join()}`;
  both = await twoNodes({
    pods: [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')],
    program: [
      ...WITH_TRACEFS,
      'setpriv',
      bounding,
      '--',
      process.execPath,
      join(dir, 'tidelock.mjs'),
    ],
  });
}, 300_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** The capabilities that daemonset/base adds to none. */
function granted(): string[] {
  const file = join(import.meta.dirname, '..', 'daemonset', 'base', 'daemonset.yaml');
  const added = parseDocument(readFileSync(file, 'utf8')).getIn(CAPABILITIES) as YAMLSeq<Scalar>;
  return added.items.map(({ value }) => String(value).toLowerCase());
}

/** How many capabilities a process has, from /proc/PID/status (proc(5)). */
function capabilityCount(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1]}`);
  return mask.toString(2).replaceAll('0', '').length;
}

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

test.each(NODES)('the agent of %s has the capabilities of the DaemonSet and no more', (name) => {
  expect(capabilityCount(both.agent(name).program.pid)).toBe(granted().length);
});

test('the probes run with these capabilities', async () => {
  const agent = both.agent('node-a');
  const { probes } = await agent.until(
    'probes that run',
    ({ probes: { state, reason } }) => state === 'running' || (reason ?? state),
    30_000,
  );
  expect(probes.code).toBeUndefined();
});

test.each(['/healthz', '/readyz'])('%s answers as the DaemonSet asks it', async (path) => {
  const url = `http://127.0.0.1:8055${path}`;
  const argv = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', url] as const;
  const code = async (): Promise<string> =>
    (await both.rig.exec(both.rig.node('node-a'), argv, { okCodes: [0, 7] })).stdout.toString();
  const ok = async (): Promise<true | undefined> => ((await code()) === '200' ? true : undefined);
  await eventually(`${path} with 200`, ok, 60_000);
});

test.each(NODES)('the data plane of %s runs from the bundle and may read no more', async (name) => {
  const { dataPlane } = await both.agent(name).status();
  const argv = argvOf(dataPlane.pid);
  expect(argv.at(-1)).toBe(join(dir, 'dataPlane.mjs'));
  expect(argv.filter((flag) => flag.startsWith('--allow-fs'))).toEqual([`--allow-fs-read=${dir}/`]);
});
