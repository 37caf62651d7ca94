// Two members enrol a third node, as an owner lets them: one alone does not, and it says so; with both it joins over a bus
// that lets each speak for itself alone, and carries traffic. When one of the two is revoked it is out.
import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isEndorsed } from '#attest/endorsed.ts';
import { run } from '#agent/base/run.ts';
import { configFileOf, createCluster, type Cluster, type RigAgent } from '#hwtest/rig/cluster.ts';
import { createRig, type Rig } from '#hwtest/rig/rig.ts';
import { startNginx } from '#hwtest/rig/servers.ts';
import {
  CLIENTS_MAY,
  CLUSTER,
  DOMAIN,
  eventually,
  isInStep,
  pod,
  report,
  SLACK,
} from './twoNodes.ts';

const PERIOD_MS = 5_000;
const RENEW_SECONDS = 10;
const TIDELOCK = [process.execPath, `${import.meta.dirname}/../../agent/main.ts`] as const;

let rig: Rig;
let cluster: Cluster;
const agents = new Map<string, RigAgent>();

beforeAll(async () => {
  rig = await createRig({
    cluster: CLUSTER,
    nodes: ['node-a', 'node-b', 'node-c'],
    pods: [pod('client', 'node-c', 'client'), pod('server', 'node-a', 'server')],
  });
  cluster = await createCluster(rig, {
    domain: DOMAIN,
    policies: [CLIENTS_MAY],
    overrides: { epochs: { periodMs: PERIOD_MS }, attestation: { renewSeconds: RENEW_SECONDS } },
  });
  const { place, dir } = rig.pod('server');
  await startNginx(place, dir, 'canary');
}, 300_000);
afterAll(async () => {
  await rig?.close();
});

const delegationFile = (): string => `${rig.dir}/delegation.json`;
const enrolmentFile = (node: string): string =>
  `${rig.node(node).dir}/state/enrolment/enrolment.json`;

function start(node: string): RigAgent {
  const agent = cluster.startAgent(rig.node(node), {
    attestation: { renewSeconds: RENEW_SECONDS, delegationFile: delegationFile() },
  });
  agents.set(node, agent);
  return agent;
}

const agentOf = (node: string): RigAgent => {
  const agent = agents.get(node);
  if (!agent) throw new RangeError(`no agent on ${node}`);
  return agent;
};

const logOf = (node: string): Promise<string> => readFile(agentOf(node).program.logFile, 'utf8');

const said = (node: string, what: RegExp, timeoutMs: number) =>
  eventually(
    `${node} says ${what}`,
    async () => (what.test(await logOf(node)) ? true : undefined),
    timeoutMs,
  );

const fetched = async (): Promise<number> => {
  const url = `http://${rig.pod('server').address}:8080/canary`;
  const argv = ['curl', '-sS', '--max-time', '5', url] as const;
  const okCodes = Array.from({ length: 256 }, (_, code) => code);
  return (await rig.exec(rig.pod('client'), argv, { okCodes, timeoutMs: 30_000 })).code;
};

test('an owner delegates the enrolment of node-c, which boots as it did when it was looked at', async () => {
  for (const node of rig.nodes) await cluster.enrol(node);
  const model = `${rig.dir}/model.json`;
  await rename(enrolmentFile('node-c'), model); // no agent has ever seen it
  const { stdout } = await run([
    ...TIDELOCK,
    'delegate',
    '--config',
    configFileOf(rig.node('node-a')),
    '--owner',
    `${rig.dir}/owner/owner.key`,
    '--name',
    'node-c',
    '--like',
    model,
    '--for',
    '1h',
    '--out',
    delegationFile(),
  ]);
  expect(stdout.toString()).toMatch(/^two members may enrol node-c of suite/);
});

test('one member alone does not admit it, and it says what is missing', async () => {
  const alone = start('node-a');
  await alone.until('alone and a member', ({ node }) => node.verdict === 'affirming', 60_000);
  start('node-c');
  await said('node-c', /only node-a has endorsed it, and it takes 2 members/, 60_000);
  expect(await logOf('node-c')).toMatch(/Run tidelock enroll --owner/);
  expect(await logOf('node-a')).toMatch(/endorsement\.given/);
  await expect(stat(enrolmentFile('node-c'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect((await alone.status()).peers).toEqual([]);
  expect(await fetched()).not.toBe(0);
});

test('with a second one it is enrolled, joins and carries traffic', async () => {
  start('node-b');
  const { afterMs } = await said('node-c', /"node\.endorsed"/, 240_000);
  for (const node of ['node-a', 'node-b', 'node-c']) {
    await agentOf(node).until(
      'in step with two peers',
      (status) => isInStep(status) && status.peers.length === 2,
      20 * PERIOD_MS,
    );
  }
  await eventually(
    'a lane from it',
    async () => ((await fetched()) === 0 ? true : undefined),
    SLACK * PERIOD_MS,
  );
  const file = enrolmentFile('node-c');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(isEndorsed(JSON.parse(await readFile(file, 'utf8')))).toBe(true);
  const { node } = await agentOf('node-c').status();
  const enrolment = node.checks.find(({ name }) => name === 'enrolment');
  expect(enrolment?.text).toMatch(/^Enrolled by node-[ab] and node-[ab], to whom owners delegated/);
  report(`node-c endorsed by two ${Math.round(afterMs)} ms after the second was started`);
}, 600_000);

test('a report of it is affirming offline, under its owner', async () => {
  const dir = await mkdtemp(`${rig.dir}/reports-`);
  const file = await agentOf('node-c').writeReport(dir);
  const { stdout } = await run([
    ...TIDELOCK,
    'verify',
    file,
    '--owner',
    cluster.ownerFile,
    '--roots',
    rig.ca.rootsDir,
    '-o',
    'json',
  ]);
  expect(stdout.toString()).toMatch(/to whom owner \S+ delegated it/);
  expect(JSON.parse(stdout.toString())).toMatchObject({ verdict: 'affirming' });
});

test('restarted it goes on with the enrolment that it has', async () => {
  const { program } = agentOf('node-c');
  program.kill('SIGKILL');
  await program.ended;
  const again = start('node-c');
  await again.until('in step again', isInStep, 20 * PERIOD_MS);
  expect(await fetched()).toBe(0);
}, 600_000);

test('when an owner revokes one of the two it is out, until an owner enrols it', async () => {
  await cluster.ownerSays(rig.node('node-a'), 'revoke', 'node-b', '--reason', 'disk stolen');
  const isOut = /node-b, which endorsed it, was revoked by an owner/;
  const { afterMs } = await eventually(
    'node-c says why it is out',
    async () => (isOut.test((await agentOf('node-c').status()).node.reason) ? true : undefined),
    SLACK * 2 * RENEW_SECONDS * 1000,
  );
  report(
    `node-c knows that it is out ${Math.round(afterMs)} ms after one who endorsed it was revoked`,
  );
  await eventually(
    'no lane from it',
    async () => ((await fetched()) === 0 ? undefined : true),
    SLACK * 2 * RENEW_SECONDS * 1000,
  );
  const { program } = agentOf('node-c');
  program.kill('SIGKILL');
  await program.ended;
  await rm(enrolmentFile('node-c'));
  await cluster.enrol(rig.node('node-c'));
  start('node-c');
  await eventually(
    'a lane from it, as an owner wants',
    async () => ((await fetched()) === 0 ? true : undefined),
    SLACK * 6 * PERIOD_MS,
  );
}, 600_000);
