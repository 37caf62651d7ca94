// What a person asks a running cluster: epochs, lanes and why, as the command line answers them, and why
// again with one link broken at a time.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { epochsSchema } from '#agent/api/epochs.ts';
import { lanesSchema } from '#agent/api/lanes.ts';
import { whySchema, type Why } from '#agent/api/why.ts';
import { runCommandLine } from '#agent/cli/commandLine.ts';
import { controlSocketOf } from '#hwtest/rig/cluster.ts';
import { REDIS_PORT, startRedis } from '#hwtest/rig/servers.ts';
import { eventually, pod, twoNodes, type TwoNodes } from './twoNodes.ts';

/** Nobody listens there. */
const CLOSED_PORT = 9;

let both: TwoNodes;
beforeAll(async () => {
  both = await twoNodes({
    pods: [
      pod('client', 'node-a', 'client'),
      pod('other', 'node-a', 'other'),
      pod('server', 'node-b', 'server'),
    ],
  });
  const { place, dir } = both.rig.pod('server');
  await startRedis(place, dir);
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

async function tidelock(node: string, ...argv: string[]): Promise<string> {
  let shown = '';
  const print = (text: string): void => void (shown += text);
  const socket = controlSocketOf(both.rig.node(node));
  const exit = await runCommandLine([...argv, '--socket', socket], {
    out: print,
    err: print,
    env: {},
    cwd: '/',
    stopSignal: () => new AbortController().signal,
  });
  expect(exit, shown).toBe(0);
  return shown;
}

const document = async (node: string, ...argv: string[]): Promise<unknown> =>
  JSON.parse(await tidelock(node, ...argv, '-o', 'json'));

const why = async (...argv: string[]): Promise<Why> =>
  whySchema.parse(await document('node-a', 'why', ...argv));

const brokenAt = ({ links }: Why): string | undefined =>
  links.find(({ state }) => state === 'broken')?.id;

const address = (name: string): string => both.rig.pod(name).address;
const cli = (port: number): readonly [string, ...string[]] => [
  'redis-cli',
  '-h',
  address('server'),
  '-p',
  String(port),
  'PING',
];

test('epochs shows both nodes in step, with each other’s confirmations', async () => {
  for (const node of ['node-a', 'node-b']) {
    const epochs = epochsSchema.parse(await document(node, 'epochs'));
    const other = both.other(node).node.name;
    expect(epochs).toMatchObject({ node, state: 'in-step', peers: [{ node: other }] });
    expect(epochs.chains.some(({ confirmedBy }) => confirmedBy.includes(other))).toBe(true);
    expect(epochs.records.accepted).toBeGreaterThan(0);
    expect(epochs.nextSlotInMs).toBeLessThanOrEqual(epochs.periodMs);
  }
});

test('lanes lists a live connection at both ends, under one chain', async () => {
  const argv = ['redis-cli', '-h', address('server'), '-p', String(REDIS_PORT)] as const;
  const often = ['-r', '-1', '-i', '0.1', 'INCR', 'n'] as const;
  const session = both.rig.spawn(both.rig.pod('client'), [...argv, ...often], { name: 'session' });
  const listed = (node: string, ...more: string[]) =>
    eventually(
      'a lane',
      async () => {
        const { lanes } = lanesSchema.parse(await document(node, 'lanes', ...more));
        return lanes[0] && lanes[0].bytesIn > 0 ? lanes[0] : undefined;
      },
      10_000,
    );
  const { value: out } = await listed('node-a', '--pod', 'default/client', '--peer', 'node-b');
  const { value: into } = await listed('node-b');
  expect(out).toMatchObject({
    direction: 'out',
    pod: 'default/client',
    peer: 'node-b',
    destination: `${address('server')}:${REDIS_PORT}`,
    rule: 'suite/clients',
  });
  expect(into).toMatchObject({ direction: 'in', pod: 'default/server', peer: 'node-a' });
  expect(out.chain).toMatch(/^[0-9a-f]{32}$/);
  const none = lanesSchema.parse(await document('node-a', 'lanes', '--pod', 'default/other'));
  expect(none.lanes).toEqual([]);
  await session.stop();
});

describe('why', () => {
  const destination = (): string => `${address('server')}:${REDIS_PORT}`;

  test('holds from end to end where a connection works', async () => {
    expect((await both.exec('client', cli(REDIS_PORT))).code).toBe(0);
    const answer = await why('default/client', 'to', destination());
    expect(brokenAt(answer), JSON.stringify(answer)).toBeUndefined();
    expect(answer.links.at(-2)).toMatchObject({ id: 'lane-port', state: 'holds' });
  });

  test('names the policy that lets nobody else through', async () => {
    const answer = await why('default/other', 'to', destination());
    expect(brokenAt(answer)).toBe('policy');
    expect(answer.remedy).toContain('default/other');
  });

  test('names what only trying can tell: nobody listens on that port', async () => {
    await both.exec('client', cli(CLOSED_PORT));
    const asked = ['default/client', 'to', `${address('server')}:${CLOSED_PORT}`];
    const { value } = await eventually(
      'a refusal',
      async () => {
        const answer = await why(...asked);
        return brokenAt(answer) === undefined ? undefined : answer;
      },
      10_000,
    );
    expect(brokenAt(value)).toBe('connections');
    expect(value.remedy).toMatch(/listens on this port/);
  });

  test('names rules that somebody removed', async () => {
    await both.exec('other', ['nft', 'delete', 'table', 'inet', 'tidelock']);
    const answer = await why('default/other');
    expect(brokenAt(answer)).toBe('redirect');
    expect(answer.answer).toMatch(/is gone/);
  });

  test('names a peer whose agent is gone by its lane port', async () => {
    await both.agent('node-b').program.stop(20_000);
    const answer = await why('default/client', 'to', destination());
    expect(brokenAt(answer)).toBe('lane-port');
  });
});
