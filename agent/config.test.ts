// Tests of the configuration: precedence, defaults, every kind of problem, nothing secret shown.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { generateSigningKey, signingKeyId } from '#agent/base/asymmetric.ts';
import { b64url } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { configSchema } from './configSchema.ts';
import { leavesOf } from './configSources.ts';
import { effectiveConfig, judgeConfig, loadConfig, type ConfigFlags } from './config.ts';
import { minimal } from './config.fixture.ts';
import { writeOwner } from './owner.ts';

const key = generateSigningKey();
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-config-'));
  await writeOwner(join(dir, 'owner.key'), join(dir, 'owner.pub'), key);
});
afterAll(() => rm(dir, { recursive: true }));

interface Given {
  readonly env?: Record<string, string>;
  readonly flags?: ConfigFlags;
}

async function load(content: object | string, { env = {}, flags = {} }: Given = {}) {
  const file = join(dir, 'config.yaml');
  await writeFile(file, typeof content === 'string' ? content : stringify(content));
  return loadConfig({ file, env, flags, cwd: '/somewhere' });
}

async function problemsOf(content: object | string, given?: Given): Promise<string[]> {
  const error = await load(content, given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TidelockError)) throw new Error('it was accepted', { cause: error });
  expect(error.code).toBe('CONFIG_INVALID');
  return error.message
    .split('\n  ')
    .slice(1)
    .map((line) => line.replaceAll(`${dir}/`, ''));
}

describe('loadConfig()', () => {
  it('loadConfig() completes a minimal file with the documented defaults', async () => {
    const config = await load(minimal);
    expect(config).toMatchObject({
      node: hostname().toLowerCase(),
      tpm: { tcti: 'device:/dev/tpmrm0', akHandle: 0x81010100 },
      attestation: { renewSeconds: 600 },
      epochs: { periodMs: 10_000, maxStalenessSeconds: 1_800, onStale: 'closed' },
      lanes: {
        port: 15_008,
        uid: 15_008,
        inbound: 'refuse',
        inboundExcept: [],
        unmeshed: 'refuse',
        unmeshedExcept: [],
        udp: 'leave',
        udpExcept: [],
      },
      policy: { files: [], mode: 'enforce' },
      paths: { stateDir: '/var/lib/tidelock', runDir: `/run/tidelock/${hostname().toLowerCase()}` },
    });
    expect(config.api.controlSocket).toBe(join(config.paths.runDir, 'control.sock'));
    expect(config.attestation.enrolmentFile).toBe('/var/lib/tidelock/enrolment/enrolment.json');
    expect(config.owners.map(signingKeyId)).toEqual([key.keyId]);
  });

  it('loadConfig() resolves paths against the folder of their origin', async () => {
    const config = await load(
      { ...minimal, policy: { files: ['policies', '/abs'] } },
      { env: { TIDELOCK_INVENTORY_FILE: 'inv.yaml' }, flags: { stateDir: 'state' } },
    );
    expect(config.attestation.ekRoots).toBe(join(dir, 'roots'));
    expect(config.policy.files).toEqual([join(dir, 'policies'), '/abs']);
    expect(config.inventory.file).toBe('/somewhere/inv.yaml');
    expect(config.paths.stateDir).toBe('/somewhere/state');
  });

  it('loadConfig() lets the environment win over the file and flags over both', async () => {
    const env = {
      TIDELOCK_NODE: 'from-env',
      TIDELOCK_EPOCHS_PERIOD_MS: '6000',
      TIDELOCK_BUS_SERVERS: 'nats://a:1, nats://b:2',
      TIDELOCK_TPM_AK_HANDLE: '0x81010200',
      PATH: '/bin',
    };
    const file = { ...minimal, node: 'from-file', epochs: { periodMs: 7000 } };
    expect(await load(file, { env })).toMatchObject({
      node: 'from-env',
      epochs: { periodMs: 6000 },
      bus: { servers: ['nats://a:1', 'nats://b:2'] },
      tpm: { akHandle: 0x81010200 },
    });
    expect((await load(file, { env, flags: { node: 'from-flag' } })).node).toBe('from-flag');
  });

  it('loadConfig() takes owners as public keys in place', async () => {
    const { ed25519, mldsa65 } = key.public;
    const owners = [{ ed25519: b64url(ed25519), mldsa65: b64url(mldsa65) }];
    expect((await load({ ...minimal, owners })).owners.map(signingKeyId)).toEqual([key.keyId]);
  });

  it('loadConfig() freezes what it returns, to the bottom', async () => {
    const config = await load(minimal);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.bus.servers)).toBe(true);
  });

  it('loadConfig() keeps a lane address in the one form that others compare it by', async () => {
    const config = await load({ ...minimal, lanes: { address: '2001:DB8:0::1' } });
    expect(config.lanes.address).toBe('2001:db8::1');
  });

  it('loadConfig() takes networks and addresses as exceptions, on some ports or on all', async () => {
    const unmeshedExcept = [{ network: '10.0.0.0/8', ports: [443] }, { network: '2001:db8::1' }];
    expect(await load({ ...minimal, lanes: { ...minimal.lanes, unmeshedExcept } })).toMatchObject({
      lanes: { unmeshedExcept: [unmeshedExcept[0], { network: '2001:db8::1', ports: [] }] },
    });
  });

  it.each<[unknown, RegExp]>([
    [{ network: '10.1.2.3/8' }, /must be the network alone: 10\.0\.0\.0\/8/],
    [{ network: 'example.org' }, /must be an IP address, or a network such as/],
    [{ network: '10.0.0.0/33' }, /must be an IP address, or a network such as/],
    [{ ports: [80] }, /network is missing; must be an IP address, or a network/],
    [{ network: '::/0', ports: [0] }, /must be a whole number from 1 to 65535/],
    [{ network: '::/0', ports: Array(65).fill(1) }, /at most 64 ports/],
    [{ network: '::/0', port: 80 }, /port is not known here; did you mean ports/],
    ['10.0.0.0/8', /must be \{network, ports\}/],
  ])('loadConfig() refuses %j as an exception', async (range, why) => {
    const lanes = { ...minimal.lanes, inboundExcept: [range] };
    expect(await problemsOf({ ...minimal, lanes })).toEqual([expect.stringMatching(why)]);
  });

  it('loadConfig() keeps the lease on the bus unless it is told otherwise', async () => {
    expect(await load(minimal)).toMatchObject({ epochs: { lease: 'bus' }, kubernetes: {} });
    const kubernetes = { kubeconfig: 'kube/config', namespace: 'mesh' };
    const config = await load({ ...minimal, epochs: { lease: 'kubernetes' }, kubernetes });
    expect(config.epochs.lease).toBe('kubernetes');
    expect(config.kubernetes.namespace).toBe('mesh');
    expect(config.kubernetes.kubeconfig).toMatch(/^\/.*\/kube\/config$/);
    const wrong = { epochs: { lease: 'etcd' }, kubernetes: { namespace: 'Not_one' } };
    expect(await problemsOf({ ...minimal, ...wrong })).toEqual([
      expect.stringMatching(/epochs\.lease is "etcd"; must be bus or kubernetes/),
      expect.stringMatching(/kubernetes\.namespace is "Not_one"; must be a namespace/),
    ]);
  });

  it('loadConfig() bounds the number of exceptions', async () => {
    const lanes = {
      ...minimal.lanes,
      udpExcept: Array.from({ length: 65 }, () => ({ network: '::/0' })),
    };
    expect((await problemsOf({ ...minimal, lanes }))[0]).toMatch(/at most 64 \{network, ports\}/);
  });

  it('loadConfig() reports all problems at once, each with its place', async () => {
    const text = [
      'domain: Example.org',
      'cluster: demo',
      'owner: [owner.pub]',
      'bus: {servers: []}',
      'epochs:',
      '  periodsMs: 5000',
      '  periodMs: 500',
      'attestation: 5',
      'lanes:',
      'inventory: {file: i.yaml}',
    ].join('\n');
    const given = { env: { TIDELOCK_EPOCH_PERIOD_MS: '1', TIDELOCK_LANES_PORT: 'x' } };
    const problems = await problemsOf(text, given);
    expect(new Set(problems.map((line) => line.split(' is ')[0]))).toEqual(
      new Set([
        'TIDELOCK_EPOCH_PERIOD_MS:',
        'TIDELOCK_LANES_PORT: lanes.port',
        'config.yaml:1:1: owners',
        'config.yaml:1:9: domain',
        'config.yaml:3:1: owner',
        'config.yaml:4:16: bus.servers',
        'config.yaml:6:3: epochs.periodsMs',
        'config.yaml:7:13: epochs.periodMs',
        'config.yaml:8:14: attestation',
        'config.yaml:9:7: lanes.address',
      ]),
    );
    expect(problems).toContain(
      'config.yaml:6:3: epochs.periodsMs is not known here; did you mean periodMs?',
    );
    expect(problems).toContain(
      'config.yaml:7:13: epochs.periodMs is 500; must be a whole number of milliseconds from 1000 to 30000',
    );
  });

  it.each<[string, object, RegExp]>([
    [
      'both kinds of bus credentials',
      { bus: { ...minimal.bus, nkeySeedFile: 'a', credentialsFile: 'b' } },
      /not both/,
    ],
    [
      'a client certificate without key',
      { bus: { ...minimal.bus, tls: { certFile: 'a' } } },
      /both certFile and keyFile/,
    ],
    ['a TCTI elsewhere', { tpm: { tcti: 'mssim:host=10.0.0.1' } }, /must be device:/],
    ['a handle that is not persistent', { tpm: { akHandle: 0x80000000 } }, /persistent handle/],
    ['the root user for the data plane', { lanes: { ...minimal.lanes, uid: 0 } }, /from 1 to/],
    ['a host name as lane address', { lanes: { address: 'node-a' } }, /IP address/],
    ['a lane address with a zone', { lanes: { address: 'fe80::1%eth0' } }, /IP address/],
    ['a lane address of nobody else', { lanes: { address: '127.0.0.1' } }, /IP address/],
    [
      'an address in a network of pods',
      { lanes: { ...minimal.lanes, podNetworks: ['10.0.0.1/8'] } },
      /network alone: 10\.0\.0\.0\/8/,
    ],
    ['a missing owner file', { owners: ['none.pub'] }, /owners\.0 is not usable: .*ENOENT/],
    ['one owner twice', { owners: ['owner.pub', './owner.pub'] }, /same key/],
    ['an owner’s secret key', { owners: ['owner.key'] }, /owners\.0 is not usable/],
    [
      'a socket path that is too long',
      { paths: { runDir: `/run/${'x'.repeat(110)}` } },
      /at most 107/,
    ],
    ['a health address without port', { api: { healthAddress: '127.0.0.1' } }, /IP:PORT/],
    ['a health address by name', { api: { healthAddress: 'localhost:8055' } }, /IP:PORT/],
    ['an IPv6 one without brackets', { api: { healthAddress: '::1:8055' } }, /IP:PORT/],
    ['a health port out of range', { api: { healthAddress: '[::1]:65536' } }, /IP:PORT/],
    ['a node name with a slash', { node: '../x' }, /DNS name/],
  ])('loadConfig() refuses %s', async (_what, part, why) => {
    const problems = await problemsOf({ ...minimal, ...part });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(why);
  });

  it('loadConfig() refuses two documents, broken YAML and a missing file with a place', async () => {
    expect(await problemsOf('a: 1\n---\nb: 2\n')).toEqual([expect.stringMatching(/one/)]);
    expect(await problemsOf('a: [')).toEqual([expect.stringMatching(/^config\.yaml:1:\d+: /)]);
    const missing = loadConfig({ file: join(dir, 'none.yaml'), env: {}, cwd: dir });
    await expect(missing).rejects.toThrow(/none\.yaml: cannot be read/);
  });

  it('loadConfig() lists what may stand where a key is like nothing known', async () => {
    const lanes = { ...minimal.lanes, limits: { colour: 5 } };
    expect((await problemsOf({ ...minimal, lanes }))[0]).toMatch(
      /lanes\.limits\.colour is not known here; must be one of perPodLanes, /,
    );
  });

  it('loadConfig() gives a file that cannot be read a hint of its own', async () => {
    const load = (file: string) => loadConfig({ file: join(dir, file), env: {}, cwd: dir });
    await writeFile(join(dir, 'broken.yaml'), 'a: [');
    await expect(load('none.yaml')).rejects.toMatchObject({
      hint: expect.stringContaining('--config FILE') as string,
    });
    await expect(load('broken.yaml')).rejects.toMatchObject({
      hint: expect.stringMatching(/^Each line .* `tidelock config check`/) as string,
    });
  });

  it('loadConfig() never repeats a password that stood in a URL', async () => {
    const [problem] = await problemsOf({ ...minimal, bus: { servers: ['nats://u:hunter2@h:1'] } });
    expect(problem).toMatch(/without user and password/);
    expect(problem).not.toContain('hunter2');
  });

  it('loadConfig() passes over what Kubernetes puts into pods for a Service named tidelock', async () => {
    const env = {
      TIDELOCK_NATS_SERVICE_HOST: '10.0.0.1',
      TIDELOCK_NATS_PORT_4222_TCP_ADDR: '10.0.0.1',
      TIDELOCK_PORT: 'tcp://10.0.0.1:8054',
    };
    await expect(load(minimal, { env })).resolves.toBeDefined();
  });

  it('loadConfig() passes over the environment that hwtest/ci/rig prints', async () => {
    const env = { TIDELOCK_RIG_ID: '1', TIDELOCK_RIG_NODE_A_ADDRESS: '198.18.0.11' };
    await expect(load(minimal, { env })).resolves.toBeDefined();
  });
});

describe('judgeConfig()', () => {
  it('judgeConfig() gives the sections that are right, and judges owners beside the wrong ones', async () => {
    const file = join(dir, 'config.yaml');
    const content = { ...minimal, owners: ['none.pub'], bus: { servers: [] } };
    await writeFile(file, stringify(content));
    const judged = await judgeConfig({ file, env: {}, cwd: dir });
    if ('config' in judged) throw new Error('it was accepted');
    expect(judged.refusal.message).toMatch(/owners\.0 is not usable/);
    expect(judged.refusal.message).toMatch(/bus\.servers .*at least one server/);
    expect(judged.refusal.hint).not.toContain('config check');
    expect(judged.sections).toMatchObject({ inventory: { file: join(dir, 'inventory.yaml') } });
    expect(judged.sections).not.toHaveProperty('bus');
  });
});

describe('loadConfig() and any content', () => {
  it('loadConfig() ends in a configuration or in CONFIG_INVALID', async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const sections = fc.dictionary(fc.constantFrom(...Object.keys(configSchema.shape)), value);
    const settings = fc.dictionary(
      fc.constantFrom('periodMs', 'servers', 'tls', 'address', 'files', 'uid', 'tcti'),
      value,
    );
    const content = fc.oneof(
      value,
      sections.map((part) => ({ ...minimal, ...part })),
      settings.map((part) => ({ ...minimal, bus: part, lanes: part, epochs: part, policy: part })),
    );
    await fc.assert(
      fc.asyncProperty(content, async (given) => {
        const outcome = await load(JSON.stringify(given)).then(
          () => 'CONFIG_INVALID',
          (thrown: unknown) => (thrown instanceof TidelockError ? thrown.code : thrown),
        );
        expect(outcome).toBe('CONFIG_INVALID');
      }),
    );
  });
});

describe('leavesOf()', () => {
  it('leavesOf() gives every setting a variable of its own', () => {
    const leaves = leavesOf(configSchema);
    expect(new Set(leaves.map((leaf) => leaf.variable)).size).toBe(leaves.length);
    expect(leaves.find((leaf) => leaf.variable === 'TIDELOCK_BUS_TLS_CA_FILE')).toMatchObject({
      path: ['bus', 'tls', 'caFile'],
      kind: 'text',
      isPath: true,
    });
  });
});

describe('effectiveConfig()', () => {
  it('effectiveConfig() shows owners by key id and stays plain JSON', async () => {
    const shown = effectiveConfig(await load(minimal));
    expect(shown['owners']).toEqual([key.keyId]);
    expect(JSON.parse(JSON.stringify(shown))).toEqual(shown);
  });
});
