// Tests of the warnings about a configuration that is right: what of it is weaker than it could be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { minimal } from './config.fixture.ts';
import { loadConfig, type Config } from './config.ts';
import { configWarnings } from './configWarnings.ts';
import { writeOwner } from './owner.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-warnings-'));
  await writeOwner(join(dir, 'owner.key'), join(dir, 'owner.pub'), generateSigningKey());
});
afterAll(() => rm(dir, { recursive: true }));

async function loaded(content: object): Promise<Config> {
  const file = join(dir, 'config.yaml');
  await writeFile(file, stringify(content));
  return loadConfig({ file, env: {}, flags: {}, cwd: dir });
}

describe('configWarnings()', () => {
  const bounded = { ...minimal, lanes: { ...minimal.lanes, podNetworks: ['198.19.0.0/16'] } };

  it('configWarnings() misses the networks of pods', async () => {
    expect(configWarnings(await loaded(minimal))).toEqual([
      expect.stringMatching(/^lanes\.podNetworks is empty/),
    ]);
  });

  it('configWarnings() names each setting that is weaker than its default, and no other', async () => {
    const weak = {
      ...bounded,
      epochs: { periodMs: 1000, maxStalenessSeconds: 10 },
      policy: { mode: 'observe' },
      tpm: { tcti: 'swtpm:path=/run/x/tpm.sock' },
    };
    expect(configWarnings(await loaded(bounded))).toEqual([]);
    expect(configWarnings(await loaded(weak)).map((text) => text.split(' ')[0])).toEqual([
      'epochs.periodMs',
      'policy.mode',
      'tpm.tcti',
    ]);
    expect((await loaded(weak)).lanes).toMatchObject({ inbound: 'plain', unmeshed: 'plain' });
  });

  it('configWarnings() names settings of Kubernetes while the lease is on the bus', async () => {
    const warned = async (lease: string): Promise<string[]> => {
      const kubernetes = { namespace: 'mesh', kubeconfig: 'kubeconfig' };
      return configWarnings(await loaded({ ...bounded, epochs: { lease }, kubernetes }));
    };
    expect(await warned('kubernetes')).toEqual([]);
    expect(await warned('bus')).toEqual([
      'kubernetes.kubeconfig changes nothing: epochs.lease is bus',
      'kubernetes.namespace changes nothing: epochs.lease is bus',
    ]);
  });

  it('configWarnings() says when an outage has no room', async () => {
    const warned = async (periodMs: number, maxStalenessSeconds: number): Promise<string[]> =>
      configWarnings(await loaded({ ...bounded, epochs: { periodMs, maxStalenessSeconds } }));
    expect(await warned(10_000, 100)).toEqual([]);
    expect(await warned(10_000, 99)).toEqual([
      expect.stringMatching(/^epochs\.maxStalenessSeconds is 99, less than 10 periods/),
    ]);
  });

  it('configWarnings() names exceptions from what is not refused', async () => {
    const except = [{ network: '10.0.0.0/8', ports: [80] }];
    const lanes = { ...bounded.lanes, inboundExcept: except, udpExcept: except };
    expect(configWarnings(await loaded({ ...minimal, lanes }))).toEqual([
      'lanes.udpExcept changes nothing: lanes.udp is leave',
    ]);
  });

  it('configWarnings() names exceptions for everybody, and wide ones without ports', async () => {
    const wide = ['0.0.0.0/0', '::/0', '10.0.0.0/15', '2001:d00::/31'];
    const ranges = [...wide, '10.0.0.0/16', '2001:db8::/32', '10.9.9.9'];
    const inboundExcept = ranges.map((network) => ({ network }));
    const unmeshedExcept = ranges.map((network) => ({ network, ports: [443] }));
    const lanes = { ...bounded.lanes, inboundExcept, unmeshedExcept };
    const warned = configWarnings(await loaded({ ...minimal, lanes }));
    expect(warned.map((text) => text.split(': ')[0])).toEqual([
      ...wide.map((network) => `lanes.inboundExcept has ${network}`),
      'lanes.unmeshedExcept has 0.0.0.0/0 port 443',
      'lanes.unmeshedExcept has ::/0 port 443',
    ]);
  });

  it('configWarnings() names plaintext that enforcing does not stop', async () => {
    const lanes = { ...bounded.lanes, inbound: 'plain', unmeshed: 'plain' };
    expect(configWarnings(await loaded({ ...minimal, lanes }))).toEqual([
      expect.stringMatching(/^lanes\.inbound is plain/),
      expect.stringMatching(/^lanes\.unmeshed is plain/),
    ]);
  });

  it('configWarnings() misses a way to DNS where UDP is refused', async () => {
    const warningsFor = async (...udpExcept: object[]): Promise<string[]> =>
      configWarnings(
        await loaded({ ...minimal, lanes: { ...bounded.lanes, udp: 'refuse', udpExcept } }),
      );
    const network = '10.96.0.10';
    expect(await warningsFor({ network, ports: [123] })).toEqual([
      expect.stringMatching(/pods cannot ask DNS$/),
    ]);
    expect(await warningsFor({ network, ports: [123] }, { network, ports: [53] })).toEqual([]);
    expect(await warningsFor({ network })).toEqual([]);
  });
});
