// An owner revokes a node of three while its control plane hears nothing: what it holds opens no lane any
// more, its live ones are cut, and the two others notice nothing.
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askAgent } from '#agent/api/client.ts';
import { epochsSchema } from '#agent/api/epochs.ts';
import type { Status } from '#agent/api/status.ts';
import { controlSocketOf } from '#hwtest/rig/cluster.ts';
import { startNginx, startRedis } from '#hwtest/rig/servers.ts';
import { answersOf, countedTo, startSession } from './session.ts';
import { eventually, fetchFrom, pod, report, SLACK, twoNodes, type TwoNodes } from './twoNodes.ts';

const PERIOD_MS = 5_000;

let all: TwoNodes;
beforeAll(async () => {
  all = await twoNodes({
    nodes: ['node-a', 'node-b', 'node-c'],
    pods: [
      pod('client', 'node-a', 'client'),
      pod('client-b', 'node-b', 'client'),
      pod('client-c', 'node-c', 'client'),
      pod('server-b', 'node-b', 'server'),
      pod('server-c', 'node-c', 'server'),
    ],
    periodMs: PERIOD_MS,
  });
  for (const name of ['server-b', 'server-c']) {
    const { place, dir } = all.rig.pod(name);
    await startNginx(place, dir, 'canary');
    await startRedis(place, dir);
  }
}, 400_000);
afterAll(async () => {
  await all?.[Symbol.asyncDispose]();
});

const newestOf = async (node: string) => {
  const answer = await askAgent(controlSocketOf(all.rig.node(node)), '/epochs');
  return epochsSchema.parse(answer).chains[0];
};

const isRevoked = (status: Status | undefined): boolean =>
  /revoked by an owner at .*: disk stolen/.test(status?.node.reason ?? '');

/** How many messages of a stream the bus has lost. */
async function forget(stream: string): Promise<number> {
  const { rig } = all;
  const script = `${import.meta.dirname}/forgetStream.ts`;
  const { urls, caFile, adminFile } = rig.bus;
  const argv = [process.execPath, script, urls.join(), caFile, adminFile, stream] as const;
  return Number((await rig.exec(rig.node('node-a'), argv)).stdout);
}

test('its lanes are cut, it opens none with what it holds, it comes back by a new enrolment alone', async () => {
  const { rig, cluster } = all;
  const { conductor } = (await all.agent('node-a').status()).epochs;
  // The conductor where that is another node than the one on which the owner works.
  const [victim, other] = conductor === 'node-c' ? ['c', 'b'] : ['b', 'c'];
  const node = `node-${victim}`;
  const servers = { lost: rig.pod(`server-${victim}`), kept: rig.pod(`server-${other}`) };
  const lost = startSession(rig, rig.pod('client'), servers.lost, 'lost');
  const kept = startSession(rig, rig.pod('client'), servers.kept, 'kept');
  for (const each of [lost, kept]) {
    await eventually('a first answer', async () => answersOf(each)[0], 10_000);
  }
  const before = await newestOf('node-a');
  const deaf = all.agent(node).program;
  process.kill(deaf.pid, 'SIGSTOP'); // its data plane goes on with what it was told

  const said = await cluster.ownerSays(
    rig.node('node-a'),
    'revoke',
    node,
    '--reason',
    'disk stolen',
  );
  expect(said).toMatch(/it was a member: its lanes are cut/);
  expect(said).toMatch(/the bus has it/);
  const cut = await eventually(
    'no lane to it',
    async () => ((await all.agent('node-a').status()).lanes.active === 1 ? true : undefined),
    SLACK * PERIOD_MS,
  );
  const frozen = answersOf(lost).length;
  const began = await eventually(
    'a generation without it',
    async () => {
      const chain = await newestOf('node-a');
      return chain && chain.generation > (before?.generation ?? 0) ? chain : undefined;
    },
    SLACK * 4 * PERIOD_MS,
  );
  expect(began.value.begins).toBe('revoke');
  report(
    `${node}${conductor === node ? ', the conductor,' : ''} revoked: lanes cut after ${Math.round(cut.afterMs)} ms, next generation after ${Math.round(began.afterMs)} ms`,
  );
  // Outwards with its old state, and inwards.
  expect((await fetchFrom(all, `client-${victim}`, servers.kept)).code).not.toBe(0);
  expect((await fetchFrom(all, 'client', servers.lost)).code).not.toBe(0);

  process.kill(deaf.pid, 'SIGCONT');
  await eventually(
    'its own verdict',
    async () => isRevoked(await all.agent(node).status()) || undefined,
    SLACK * PERIOD_MS,
  );

  deaf.kill('SIGKILL');
  await deaf.ended;
  await rm(`${rig.node(node).dir}/state/revocations`, { recursive: true });
  expect(await forget('TL_suite_REVOCATION')).toBe(1);
  await rig.bus.kill();
  await rig.bus.start(); // who knows of it says it again
  all.startAgain(node);
  await eventually(
    'its own verdict again',
    async () =>
      isRevoked(
        await all
          .agent(node)
          .status()
          .catch(() => undefined),
      ) || undefined,
    SLACK * 2 * PERIOD_MS,
  );
  await pause(2 * PERIOD_MS);
  const peer = (await all.agent('node-a').status()).peers.find((each) => each.node === node);
  expect(peer?.refused).toMatch(/revoked by an owner/);
  expect((await fetchFrom(all, `client-${victim}`, servers.kept)).code).not.toBe(0);

  const { program } = all.agent(node);
  program.kill('SIGKILL');
  await program.ended;
  await rm(`${rig.node(node).dir}/state/enrolment/enrolment.json`);
  await cluster.enrol(rig.node(node));
  all.startAgain(node);
  await all.inStep();
  expect((await fetchFrom(all, 'client', servers.lost)).code).toBe(0);
  expect((await fetchFrom(all, `client-${victim}`, servers.kept)).code).toBe(0);

  expect(kept.running()).toBe(true);
  await kept.stop();
  await lost.stop();
  const answers = answersOf(kept);
  expect(answers).toEqual(countedTo(answers.length));
  expect(answersOf(lost).length).toBeLessThan(frozen + 2);
  report(`${answers.length} exchanges between the two others meanwhile, 0 failed`);
}, 300_000);

test('a quarantine cuts a node off, and lifted lets it in again with the enrolment that it has', async () => {
  const { rig, cluster } = all;
  const server = rig.pod('server-b');
  expect((await fetchFrom(all, 'client', server)).code).toBe(0);
  const say = (...flags: string[]) =>
    cluster.ownerSays(rig.node('node-a'), 'quarantine', 'node-b', ...flags);
  expect(await say('--reason', 'alerts', '--for', '1h')).toMatch(/it was a member: its lanes are/);
  await eventually(
    'its own verdict',
    async () =>
      /quarantined by an owner at .* until .*: alerts/.test(
        (await all.agent('node-b').status()).node.reason,
      ) || undefined,
    SLACK * PERIOD_MS,
  );
  expect((await fetchFrom(all, 'client', server)).code).not.toBe(0);
  expect(await say('--lift')).toMatch(/^lifted the quarantine of node-b/);
  const back = await eventually(
    'a lane to it',
    async () => ((await fetchFrom(all, 'client', server)).code === 0 ? true : undefined),
    SLACK * 8 * PERIOD_MS,
  );
  report(`node-b quarantined and lifted: a lane to it ${Math.round(back.afterMs)} ms later`);
}, 300_000);
