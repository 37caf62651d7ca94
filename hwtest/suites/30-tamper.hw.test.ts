import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REDIS_PORT, startNginx, startRedis } from '#hwtest/rig/servers.ts';
import {
  eventually,
  fetchFrom,
  NODES,
  pod,
  report,
  SLACK,
  twoNodes,
  type TwoNodes,
} from './twoNodes.ts';

const PERIOD_MS = 5_000;
const RENEW_SECONDS = 10;
const PCR = 7;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('server', 'node-b', 'server'),
      pod('client-b', 'node-b', 'client'),
      pod('server-a', 'node-a', 'server'),
    ],
    periodMs: PERIOD_MS,
    renewSeconds: RENEW_SECONDS,
  });
  for (const name of ['server', 'server-a']) {
    const { place, dir } = both.rig.pod(name);
    await startNginx(place, dir, 'canary');
    await startRedis(place, dir);
  }
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

/** The conductor first, then the node that took over from it. */
describe.each(['the conductor', 'its successor'])('a PCR extended behind the back of %s', () => {
  test('is contraindicated, loses its lanes, is explained, and comes back by itself', async () => {
    const { rig } = both;
    await both.inStep();
    const before = await both.agent(NODES[0]).status();
    const victim = before.epochs.isConductor ? NODES[0] : NODES[1];
    const healthy = both.other(victim);
    const [client, server] = victim === 'node-a' ? ['client', 'server'] : ['client-b', 'server-a'];
    const { address } = rig.pod(server);
    const argv = [
      'redis-cli',
      '-h',
      address,
      '-p',
      String(REDIS_PORT),
      '-r',
      '-1',
      '-i',
      '0.1',
      'PING',
    ] as const;
    const session = rig.spawn(rig.pod(client), argv, { name: `session-${victim}` });
    await eventually(
      'a live lane',
      async () => {
        const { lanes } = await both.agent(victim).status();
        return lanes.active > 0 ? true : undefined;
      },
      10_000,
    );

    await rig.node(victim).tpm.extend(PCR, Buffer.from('rootkit'));
    const failed = await eventually(
      'contraindicated',
      async () => {
        const { node } = await both.agent(victim).status();
        return node.verdict === 'contraindicated' ? node : undefined;
      },
      SLACK * (RENEW_SECONDS * 1000 + PERIOD_MS),
    );
    expect(failed.value.reason).toMatch(new RegExp(`PCR ${PCR}\\b`));
    const cut = await eventually(
      'its lanes are cut',
      async () => {
        const { lanes } = await both.agent(victim).status();
        return lanes.active === 0 ? true : undefined;
      },
      SLACK * PERIOD_MS,
    );
    const refused = await eventually(
      'the healthy node refuses it and conducts',
      async () => {
        const { peers, epochs } = await healthy.status();
        const peer = peers.find(({ node }) => node === victim);
        return peer?.refused !== undefined && epochs.isConductor ? peer : undefined;
      },
      SLACK * PERIOD_MS,
    );
    const answer = await fetchFrom(both, client, rig.pod(server));
    expect(answer.code).not.toBe(0);
    expect(answer.stdout.toString()).toBe('');
    await session.stop();
    report(
      `${victim}: contraindicated after ${Math.round(failed.afterMs)} ms, lanes cut ${Math.round(cut.afterMs)} ms later, refused by the other ${Math.round(refused.afterMs)} ms later: ${failed.value.reason.slice(0, 160)}`,
    );

    await rig.node(victim).tpm.reset();
    const back = await eventually(
      'affirming again',
      async () => {
        const { node } = await both.agent(victim).status();
        return node.verdict === 'affirming' ? true : undefined;
      },
      120_000,
    );
    await both.inStep();
    expect((await fetchFrom(both, client, rig.pod(server))).code).toBe(0);
    report(
      `${victim}: affirming ${Math.round(back.afterMs)} ms after its TPM was as enrolled again`,
    );
  });
});
