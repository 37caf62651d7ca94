// The rig for pipelines as its user has it: brought up by one process, used by others, still there when
// the first was killed, gone without a trace when it is told or killed.
import { spawn, spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leftovers, totalOf } from '#hwtest/rig/leftovers.ts';
import { eventually } from '#hwtest/suites/twoNodes.ts';
import { environmentOf } from './environment.ts';
import { readState, type Facts, type State } from './state.ts';

const NAME = `test-${process.pid}`;
const SCRIPT = join(import.meta.dirname, 'rig.ts');
const PORT = '8080';

const argvOf = (verb: string, ...rest: readonly string[]): string[] => [
  SCRIPT,
  verb,
  '--name',
  NAME,
  ...rest,
];

const rig = (verb: string, ...rest: readonly string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, argvOf(verb, ...rest), { encoding: 'utf8' });

let keeper: State['keeper'];
let facts: Facts;
beforeAll(async () => {
  const up = spawn(process.execPath, argvOf('up'), { stdio: 'ignore' });
  const begun = await eventually('a keeper', async () => readState(NAME), 30_000);
  ({ keeper } = begun.value);
  up.kill('SIGKILL'); // as a pipeline kills a step: the rest of the building goes on without it
  const built = await eventually('a rig', async () => readState(NAME)?.facts, 120_000);
  facts = built.value;
}, 200_000);
afterAll(() => void rig('down'));

const variable = (name: string): string => environmentOf(facts).get(`TIDELOCK_RIG_${name}`) ?? '';

describe('hwtest/ci/rig', () => {
  test('status says that both nodes are attested and in step', () => {
    const { status, stdout } = rig('status', '-o', 'json');
    expect(JSON.parse(stdout)).toEqual({
      nodes: ['node-a', 'node-b'].map((node) => ({ node, verdict: 'affirming', inStep: true })),
    });
    expect(status).toBe(0);
  });

  test('env gives what a shell can take in', () => {
    const { stdout: lines } = rig('env');
    const script = `${lines} printf %s "$TIDELOCK_RIG_SERVER_ADDRESS $TIDELOCK_RIG_NODE_A_TCTI"`;
    const { stdout } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    expect(stdout).toBe(`${variable('SERVER_ADDRESS')} ${variable('NODE_A_TCTI')}`);
  });

  test('exec talks from pod to pod by the policy, and ends with the exit code of its program', async () => {
    const answer = ['socat', `TCP-LISTEN:${PORT},fork,reuseaddr`, 'EXEC:echo served'];
    const server = spawn(process.execPath, argvOf('exec', 'server', '--', ...answer));
    try {
      const ask = ['socat', '-T2', '-', `TCP:${variable('SERVER_ADDRESS')}:${PORT}`];
      const answered = await eventually(
        'an answer to the client',
        async () => rig('exec', 'client', '--', ...ask).stdout || undefined,
        20_000,
      );
      expect(answered.value).toBe('served\n');
      expect(rig('exec', 'stranger', '--', ...ask).stdout).toBe('');
    } finally {
      server.kill('SIGTERM');
    }
    expect(rig('exec', 'client', '--', 'sh', '-c', 'exit 7').status).toBe(7);
  });

  test('a TPM of the rig answers tpm2-tools by the environment alone', () => {
    const argv = ['-T', variable('NODE_A_TCTI'), 'sha256:0'];
    const pcr = spawnSync('tpm2_pcrread', argv, { encoding: 'utf8' });
    expect(pcr.stdout).toMatch(/0x(?!0{64})[0-9A-F]{64}/);
  });

  test('up refuses a name that is taken', () => {
    const { status, stderr } = rig('up');
    expect(status).toBe(2);
    expect(stderr).toContain('it is there already');
  });

  test('a keeper that is killed takes every program along, and down removes the rest', async () => {
    process.kill(keeper.pid, 'SIGKILL');
    expect(rig('status').status).not.toBe(0);
    const down = rig('down');
    expect({ status: down.status, stderr: down.stderr }).toEqual({ status: 0, stderr: '' });
    expect(totalOf(await leftovers(facts.id))).toBe(0);
    expect(existsSync(`/run/tidelock-ci/${NAME}`)).toBe(false);
    expect(rig('down').status).toBe(0);
  });
});
