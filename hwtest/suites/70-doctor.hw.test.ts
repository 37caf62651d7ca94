// The doctor finds what is wrong with a node, names its cause and its remedy, and leaves nothing behind;
// uninstall leaves nothing of tidelock behind. With HWTEST_TRANSCRIPTS=FILE what an operator sees is
// written there, as docs/doctor.md has it.
import { appendFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '#agent/base/codes.ts';
import { CHECKS } from '#agent/doctor/checks.ts';
import type { RigNode } from '#hwtest/rig/rig.ts';
import { diagnose, verbArgv, type Diagnosis, type Lacking } from './doctor.ts';
import { eventually, pod, report, twoNodes, type TwoNodes } from './twoNodes.ts';

let both: TwoNodes;
let node: RigNode;
beforeAll(async () => {
  both = await twoNodes({
    pods: [pod('client', 'node-a', 'client'), pod('server', 'node-b', 'server')],
  });
  node = both.rig.node('node-a');
}, 400_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
});

const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);
const transcripts = process.env['HWTEST_TRANSCRIPTS'];

/** Keeps what was printed, with the rig's directory under a name that stays the same. */
function transcribe(title: string, command: string, text: string, exit: number): void {
  if (transcripts === undefined) return;
  const shown = text.replaceAll(both.rig.dir, '/var/lib/rig').trimEnd();
  appendFileSync(
    transcripts,
    `\n## ${title}\n\n\`\`\`\n# ${command}\n${shown}\n# exit code ${exit}\n\`\`\`\n`,
  );
}

const without = async (title: string, lacking: Lacking = {}): Promise<Diagnosis> => {
  const diagnosis = await diagnose(both, node, lacking);
  if (transcripts !== undefined) {
    transcribe(title, 'tidelock doctor', await diagnosis.text(), diagnosis.exit);
  }
  return diagnosis;
};

/** Everything that failed, by id: one broken thing must not colour others. */
const failed = ({ checks }: Diagnosis): string[] =>
  checks.filter(({ state }) => state === 'fail').map(({ id }) => id);

describe('doctor', () => {
  test('finds nothing wrong on a good node, and every check is made', async () => {
    const good = await without('A good node');
    expect(failed(good)).toEqual([]);
    expect(good.exit).toBe(0);
    expect(good.checks.map(({ id }) => id)).toEqual(CHECKS.map(({ id }) => id));
    const skipped = good.checks.filter(({ state }) => state === 'skip').map(({ id }) => id);
    expect(skipped).toEqual(['leftover-rules']); // an agent runs: its rules are no leftovers
    for (const id of [
      'probes',
      'pcrs',
      'event-log',
      'bus-clock',
      'nftables',
      'pods',
      'lane-port',
    ]) {
      expect(good.check(id), id).toMatchObject({ state: 'pass' });
    }
  });

  test.each<[string, Lacking, string, RegExp, RegExp]>([
    ['No tracefs', { tracefs: true }, 'tracefs', /not mounted/, /mount -t tracefs/],
    ['No bpftrace', { program: 'bpftrace' }, 'bpftrace', /not installed/, /install bpftrace/],
    ['No nftables', { program: 'nft' }, 'nftables', /package nftables/, /install nftables/],
  ])(
    '%s: exit 6, and the cause and the remedy are named',
    async (title, lacking, id, cause, remedy) => {
      const found = await without(title, lacking);
      expect(failed(found)).toEqual([id]);
      expect(found.exit).toBe(6);
      expect(found.check(id).cause).toMatch(cause);
      expect(found.check(id).remedy).toMatch(remedy);
      const needing = CHECKS.filter(({ needs }) => needs.includes(id)).map((check) => check.id);
      expect(needing.length).toBeGreaterThan(0);
      for (const other of needing) expect(found.check(other).state, other).toBe('skip');
    },
  );

  test('NATS down: exit 5; what needs the bus is skipped, the rest still looked at', async () => {
    await both.rig.bus.kill();
    try {
      const found = await without('NATS down');
      expect(failed(found)).toEqual(['bus']);
      expect(found.exit).toBe(5);
      expect(found.check('bus').cause).toMatch(/nats-server does not run/);
      expect(found.check('bus').remedy).toMatch(/Start nats-server with JetStream/);
      expect(found.check('bus-clock').state).toBe('skip');
      expect(found.check('pcrs').state).toBe('pass');
    } finally {
      await both.rig.bus.start();
    }
  });

  test('TPM gone: exit 5; what needs the TPM is skipped, the rest still looked at', async () => {
    await node.tpm.kill();
    try {
      const found = await without('TPM gone');
      expect(failed(found)).toEqual(['tpm']);
      expect(found.exit).toBe(5);
      expect(found.check('tpm').cause).toMatch(/a software TPM has ended/);
      expect(found.check('tpm').remedy).toMatch(/start the software TPM/);
      for (const id of ['ek', 'ak', 'pcrs', 'event-log']) {
        expect(found.check(id).state, id).toBe('skip');
      }
    } finally {
      await node.tpm.reset();
    }
  });

  test('clock 20 s off: found by the bus', async () => {
    const found = await without('Clock 20 s off', { clock: true });
    expect(failed(found)).toEqual(['bus-clock']);
    expect(found.exit).toBe(3);
    const { observed, cause, remedy } = found.check('bus-clock');
    expect(observed).toMatch(/this node is (19\.9|20\.0)\d\d s ahead of the bus/);
    expect(cause).toMatch(/No NTP/);
    expect(remedy).toMatch(/chrony/);
    report(observed);
  });

  test('a rule that somebody changed inside a pod is found', async () => {
    const nft = (...args: string[]) => both.rig.exec(both.rig.pod('client'), ['nft', ...args]);
    await nft('insert', 'rule', 'inet', 'tidelock', 'egress', 'accept');
    expect((await diagnose(both, node)).check('pods')).toMatchObject({
      state: 'fail',
      observed: 'default/client: its rules were changed',
    });
    const { stdout } = await nft('-a', 'list', 'chain', 'inet', 'tidelock', 'egress');
    const handle = /accept # handle (\d+)/.exec(stdout.toString())?.[1] ?? '';
    await nft('delete', 'rule', 'inet', 'tidelock', 'egress', 'handle', handle);
    expect((await diagnose(both, node)).check('pods').state).toBe('pass');
  });

  test('an interrupted doctor leaves no file and no process', async () => {
    const scratch = `${node.dir}/scratch`;
    mkdirSync(scratch);
    const argv = verbArgv(['doctor', '--config', `${node.dir}/config.json`]);
    const program = both.rig.spawn(node, argv, { name: 'doctor', env: { TMPDIR: scratch } });
    await eventually('a scratch directory', async () => readdirSync(scratch)[0], 10_000);
    await pause(300); // in the middle of it: bpftrace attaches for half a second
    program.kill('SIGINT');
    const { code, signal } = await program.ended;
    expect({ code, signal }).toEqual({ code: EXIT.internal, signal: null });
    expect(readdirSync(scratch)).toEqual([]);
    const { stdout } = await both.rig.exec(node, ['pgrep', '-f', scratch], { okCodes: ANY_CODE });
    expect(stdout.toString()).toBe('');
  });
});

describe('uninstall', () => {
  const uninstall = async (...flags: string[]) => {
    const args = ['uninstall', '--config', `${node.dir}/config.json`, ...flags];
    const { code, stdout, stderr } = await both.rig.exec(node, verbArgv(args), {
      okCodes: ANY_CODE,
      timeoutMs: 60_000,
    });
    const text = `${stdout.toString()}${stderr}`;
    const command = ['tidelock', 'uninstall', ...flags].join(' ');
    // What it sees everywhere is of others on this machine.
    if (!flags.includes('--everywhere')) transcribe(command, command, text, code);
    return { exit: code, text };
  };

  test('refuses while an agent runs, and changes nothing', async () => {
    expect(await uninstall()).toMatchObject({
      exit: 2,
      text: expect.stringMatching(/AGENT_RUNNING.*pid \d+/),
    });
    expect((await both.agent('node-a').status()).dataPlane.state).toBe('running');
  });

  test('a killed agent’s rules are found by doctor, with the clock still compared', async () => {
    const { program } = both.agent('node-a');
    program.kill('SIGKILL');
    await program.ended;
    const found = await without('After kill -9 of the agent');
    expect(found.check('agent').state).toBe('skip');
    expect(found.check('leftover-rules')).toMatchObject({
      state: 'warn',
      observed: expect.stringContaining('default/client'),
      remedy: expect.stringContaining('tidelock uninstall'),
    });
    expect(found.check('bus-clock').state).toBe('pass');
  });

  test('looks everywhere when asked to, in pods that left the inventory too', async () => {
    const everywhere = await uninstall('--dry-run', '--everywhere');
    expect(everywhere.exit).toBe(0);
    const { ino } = statSync(both.rig.pod('client').place.netns.path);
    expect(everywhere.text).toMatch(
      new RegExp(String.raw`^there +nftables table inet tidelock +net:\[${ino}\]$`, 'm'),
    );
  });

  test('asks before it loses state, and never removes an owner’s key', async () => {
    expect(await uninstall('--stop')).toMatchObject({
      exit: 2,
      text: expect.stringMatching(/would be lost: .*give --yes or --keep-state/),
    });
    const kept = `${node.dir}/state/cache`;
    mkdirSync(kept);
    writeFileSync(`${kept}/mislaid.json`, JSON.stringify({ kind: 'OwnerKey' }));
    const refused = await uninstall('--stop', '--yes', '--verify');
    expect(refused.exit).toBe(1);
    expect(refused.text).toMatch(/not removed .*mislaid\.json in it is the key of an owner/);
    expect(readdirSync(kept)).toEqual(['mislaid.json']);
    await both.rig.exec(node, ['rm', `${kept}/mislaid.json`]);
  });

  test('removes everything and proves it', async () => {
    const removed = await uninstall('--stop', '--yes', '--verify');
    expect(removed.text).toMatch(/verified: nothing of tidelock is left on this host/);
    expect(removed.exit).toBe(0);
    const tables = await both.rig.exec(both.rig.pod('client'), ['nft', 'list', 'tables']);
    expect(tables.stdout.toString()).toBe('');
    const handles = await both.rig.exec(node, ['tpm2_getcap', 'handles-persistent'], {
      env: { TPM2TOOLS_TCTI: node.tpm.tcti },
    });
    expect(handles.stdout.toString()).not.toMatch(/0x81010100/);
    expect(await uninstall('--verify')).toMatchObject({ exit: 0 });
  });

  test('leaves the other node as it was', async () => {
    const { node: other, dataPlane, pods } = await both.agent('node-b').status();
    expect({ verdict: other.verdict, state: dataPlane.state }).toEqual({
      verdict: 'affirming',
      state: 'running',
    });
    expect(pods.map(({ captured }) => captured)).toEqual([true]);
  });
});
