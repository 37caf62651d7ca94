// The rig proves itself: real namespaces, TPMs, bus and programs, and nothing left of them.
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { run } from '#agent/base/run.ts';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { replay } from '#attest/eventlog/replay.ts';
import { cleanLeftovers, leftovers, totalOf } from './leftovers.ts';
import { preflight } from './preflight.ts';
import { createRig, type PodPlan, type Rig } from './rig.ts';
import { HTTP_PORT, REDIS_PORT, startNginx, startRedis } from './servers.ts';

const CANARY = 'canary-of-the-rig-test-4c1d';

const pod = (name: string, node: string): PodPlan => ({
  name,
  node,
  namespace: 'demo',
  serviceAccount: name,
});

const PLAN = {
  nodes: ['node-a', 'node-b'],
  pods: [pod('client', 'node-a'), pod('neighbour', 'node-a'), pod('server', 'node-b')],
};

describe('a rig', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(PLAN);
    const server = rig.pod('server');
    await startNginx(server.place, `${server.dir}/nginx`, CANARY);
    await startRedis(server.place, `${server.dir}/redis`);
  });
  afterAll(async () => {
    await rig?.close();
  });

  const get = async (from: string, path: string): Promise<string> => {
    const url = `http://${rig.pod('server').address}:${HTTP_PORT}${path}`;
    return (await rig.exec(rig.pod(from), ['curl', '-sf', url])).stdout.toString();
  };

  test('createRig() lets pods reach each other across nodes and on one node', async () => {
    expect(await get('client', '/canary')).toBe(`${CANARY}\n`);
    expect(await get('server', '/1048576')).toHaveLength(1_048_576);
    const redis = rig.pod('server').address;
    const ping = ['redis-cli', '-h', redis, '-p', String(REDIS_PORT), 'ping'] as const;
    expect((await rig.exec(rig.pod('neighbour'), ping)).stdout.toString().trim()).toBe('PONG');
    // Nobody listens there: a refusal, and not a timeout, proves the path on one node.
    const near = ['curl', '-s', `http://${rig.pod('neighbour').address}:1/`] as const;
    expect((await rig.exec(rig.pod('client'), near, { okCodes: [7] })).code).toBe(7);
  });

  test('createRig() puts nothing into the network namespace of the machine', async () => {
    const { stdout } = await run(['ip', '-o', 'addr']);
    expect(stdout.toString()).not.toMatch(/198\.1[89]\./);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain('/run/netns/tl');
  });

  test('startTpm() gives an EK certificate that chains to the CA of the rig', async () => {
    const intermediate = new X509Certificate(readFileSync(`${rig.ca.rootsDir}/issuercert.pem`));
    const root = new X509Certificate(
      readFileSync(`${rig.ca.rootsDir}/swtpm-localca-rootca-cert.pem`),
    );
    expect(intermediate.checkIssued(root)).toBe(true);
    for (const node of rig.nodes) {
      const { stdout } = await run(['tpm2_nvread', '-C', 'o', '0x1c00002'], {
        env: { TPM2TOOLS_TCTI: node.tpm.tcti },
      });
      expect(new X509Certificate(stdout).checkIssued(intermediate)).toBe(true);
    }
  });

  test('startTpm() extends PCRs so that every bank equals the replay of the log', async () => {
    for (const { name, tpm } of rig.nodes) {
      const log = parseEventLog(readFileSync(tpm.eventLog));
      expect(log.banks).toEqual(tpm.banks);
      for (const bank of tpm.banks) {
        const replayed = replay(log, bank);
        const actual = await tpm.readPcrs(bank);
        expect([...replayed.keys()].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 11]);
        for (const [pcr, value] of replayed) {
          expect(actual[pcr], `${name} ${bank} ${pcr}`).toEqual(value);
        }
      }
    }
  });

  test('extend() changes one PCR behind the log, reset() brings it back', async () => {
    const { tpm } = rig.node('node-b');
    const before = await tpm.readPcrs('sha256');
    await tpm.extend(4, Buffer.from('a boot loader that nobody enrolled'));
    const after = await tpm.readPcrs('sha256');
    expect(after.map((value, i) => (value.equals(before[i] ?? value) ? [] : [i])).flat()).toEqual([
      4,
    ]);
    await tpm.reset();
    expect(await tpm.readPcrs('sha256')).toEqual(before);
  });

  test('capture() finds a canary that crosses between nodes, and no other', async () => {
    const capture = await rig.capture('plain');
    await get('client', '/canary');
    expect(await capture.stop()).toEqual({ dropped: 0 });
    const found = await capture.search([CANARY]);
    expect(found.hitsInFlows).toBe(1);
    expect(found.hits).toBeGreaterThan(0);
    expect(found.packets).toBeGreaterThan(5);
    expect((await capture.search(['never sent by anybody'])).hits).toBe(0);
  });

  test('bus.kill() and bus.start() take the server away and bring it back', async () => {
    await rig.bus.kill();
    expect(rig.bus.running()).toBe(false);
    await rig.bus.start();
    expect(rig.bus.running()).toBe(true);
  });

  test('cleanLeftovers() does not touch a live rig', async () => {
    expect(await cleanLeftovers()).not.toContain(rig.id);
    expect(await get('client', '/canary')).toBe(`${CANARY}\n`);
  });

  test('createRig() builds a second rig beside the first, and close() leaves nothing of it', async () => {
    const second = await createRig({ nodes: ['node-a'], pods: [pod('alone', 'node-a')] });
    expect(second.pod('alone').address).toBe(rig.pod('client').address);
    const during = await leftovers(second.id);
    expect(during.namespaces).toBe(4);
    expect(during.processes).toBe(2);
    await Promise.all([second.close(), second.close()]);
    expect(await leftovers(second.id)).toEqual(NOTHING);
    expect(existsSync(second.dir)).toBe(false);
    expect(await get('client', '/canary')).toBe(`${CANARY}\n`);
  });
});

describe('a rig whose owner was killed', () => {
  test('cleanLeftovers() removes all of it', async () => {
    const owner = spawn(process.execPath, [`${import.meta.dirname}/orphan.ts`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await createInterface(owner.stdout)[Symbol.asyncIterator]().next();
    const id = z.string().parse(said.value);
    const during = await leftovers(id);
    expect(during.namespaces).toBe(4);
    expect(during.processes).toBeGreaterThan(2);
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect((await leftovers(id)).namespaces).toBe(4);
    expect(await cleanLeftovers()).toContain(id);
    expect(await leftovers(id)).toEqual(NOTHING);
    expect(totalOf(await leftovers())).toBe(0);
  });
});

describe('preflight()', () => {
  test('preflight() finds nothing missing here and leaves nothing behind', async () => {
    const before = readdirSync('/proc/self/net');
    expect(await preflight()).toEqual([]);
    expect(readdirSync('/proc/self/net')).toEqual(before);
  });

  test('preflight() names a missing program and its package', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      const problems = await preflight();
      expect(problems.find(({ what }) => what.startsWith('swtpm '))?.remedy).toContain('swtpm');
    } finally {
      process.env['PATH'] = path;
    }
  });
});

const NOTHING = { namespaces: 0, processes: 0, cgroups: 0, mounts: 0, rules: 0, files: 0 };
