// Tests of the verbs themselves, run as a user runs them, on files of their own.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveControl } from '#agent/api/control.ts';
import { readOwnerPublic } from '#agent/owner.ts';
import { readPolicy } from '#attest/policy.ts';
import { runCommandLine } from './commandLine.ts';
import { EPOCHS } from './epochs.fixture.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-verbs-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function tidelock(...argv: string[]) {
  let out = '';
  let err = '';
  const exit = await runCommandLine(argv, {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    env: {},
    cwd: dir,
    stopSignal: () => new AbortController().signal,
  });
  return { exit, out, err };
}

const init = (...more: string[]) => {
  const cluster = more.includes('--cluster') ? [] : ['--cluster', 'demo'];
  return tidelock('init', '--domain', 'example.org', '--out', 'owner', ...cluster, ...more);
};

describe('tidelock init', () => {
  it('init makes an owner whose policy verifies under its public key', async () => {
    expect((await init('--warn', '12,14-15')).exit).toBe(0);
    const owner = await readOwnerPublic(join(dir, 'owner', 'owner.pub'));
    const file = join(dir, 'owner', 'attestation-policy.json');
    expect(readPolicy(JSON.parse(await readFile(file, 'utf8')), [owner])).toMatchObject({
      domain: 'example.org',
      cluster: 'demo',
      bank: 'sha256',
      enforce: [0, 1, 2, 3, 4, 5, 6, 7, 11],
      warn: [12, 14, 15],
    });
    expect((await stat(join(dir, 'owner', 'owner.key'))).mode & 0o777).toBe(0o600);
  });

  it('init overwrites nothing, and leaves nothing half done', async () => {
    await init();
    await rm(join(dir, 'owner', 'owner.key'));
    const { exit, err } = await init();
    expect(exit).toBe(2);
    expect(err).toMatch(/^error FILE_EXISTS: /);
    await expect(stat(join(dir, 'owner', 'owner.key'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('init signs another policy with a key that exists', async () => {
    await init();
    const owner = ['--owner', 'owner/owner.key', '--out', 'second', '-o', 'json'];
    const { exit, out } = await tidelock('init', '--domain', 'd', '--cluster', 'c', ...owner);
    expect(exit).toBe(0);
    const { keyId, written } = JSON.parse(out) as { keyId: string; written: string[] };
    expect(written).toEqual([join(dir, 'second', 'attestation-policy.json')]);
    const document = JSON.parse(await readFile(written[0] ?? '', 'utf8')) as object;
    expect(document).toMatchObject({ signatures: [{ keyId }, { keyId }] });
  });

  it('init reports everything that is wrong at once', async () => {
    const missing = await tidelock('init');
    expect(missing.err).toContain('--domain DOMAIN is missing; --cluster NAME is missing');
    const { exit, err } = await init('--bank', 'md5', '--cluster', 'A B', '--warn', '7,x,24');
    expect(exit).toBe(2);
    for (const wrong of ['--cluster must', '--bank is "md5"', '"x"', '"24"', 'PCR 7 is in both']) {
      expect(err).toContain(wrong);
    }
  });

  it.each([
    [['--enforce', '0-9-'], /--enforce has "0-9-"/],
    [['--enforce', '8-11'], /without 10/],
    [['--enforce', '24'], /0 to 23/],
    [['--enforce', '5-3'], /"5-3"/],
    [['--warn', '7'], /PCR 7 is in both/],
    [['--enforce', ','], /no PCR/],
    [['--bank', 'sha1'], /must be sha256 or sha384/],
    [['--min-period-ms', '10'], /from 1000 to 30000/],
    [['--cluster', 'A B'], /--cluster must be a DNS label/],
  ])('init refuses %j and makes no key then', async (more, why) => {
    const { exit, err } = await init(...more);
    expect(exit).toBe(2);
    expect(err).toMatch(why);
    await expect(stat(join(dir, 'owner'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('tidelock config check', () => {
  const config = {
    domain: 'example.org',
    cluster: 'demo',
    owners: ['owner/owner.pub'],
    bus: { servers: ['nats://198.18.0.2:4222'] },
    attestation: { ekRoots: '.', policyFile: 'owner/attestation-policy.json' },
    lanes: { address: '198.18.0.11', podNetworks: ['198.19.0.0/16'] },
    inventory: { file: 'inventory.yaml' },
    policy: { files: ['policy.yaml'] },
  };

  beforeEach(async () => {
    await init();
    await writeFile(join(dir, 'config.yaml'), JSON.stringify(config));
    await writeFile(join(dir, 'inventory.yaml'), 'pods: []');
    await writeFile(join(dir, 'policy.yaml'), '');
  });

  it('config check accepts a good configuration and warns of files that are not there yet', async () => {
    const { exit, out } = await tidelock('config', 'check', '-c', 'config.yaml', '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      kind: 'ConfigCheck',
      ok: true,
      ready: false,
      warnings: [
        expect.stringMatching(/^attestation\.enrolmentFile: ENOENT.* Run tidelock enroll /),
      ],
      config: { domain: 'example.org' },
    });
  });

  it('config check reports inventory and policies at once', async () => {
    await writeFile(join(dir, 'inventory.yaml'), 'pods: 5');
    await writeFile(join(dir, 'policy.yaml'), 'kind: X');
    const { exit, err } = await tidelock('config', 'check', '-c', 'config.yaml');
    expect(exit).toBe(2);
    expect(err).toContain('inventory.yaml:1:7: pods is 5');
    expect(err).toContain('policy.yaml:1:7: kind is "X"');
  });

  it('config check lets a broken section hide neither inventory nor missing files', async () => {
    const attestation = { ...config.attestation, ekRoots: 'none' };
    const broken = { ...config, attestation, bus: { servers: [] } };
    await writeFile(join(dir, 'config.yaml'), JSON.stringify(broken));
    await writeFile(join(dir, 'inventory.yaml'), 'pods: 5');
    await writeFile(join(dir, 'policy.yaml'), 'kind: X');
    const { exit, err } = await tidelock('config', 'check', '-c', 'config.yaml');
    expect(exit).toBe(2);
    for (const part of ['bus.servers is []', 'pods is 5', 'kind is "X"']) {
      expect(err).toContain(part);
    }
    expect(err).toMatch(/^warning: attestation\.ekRoots: ENOENT.* tidelock roots add/m);
    expect(err).not.toContain('config check');
  });

  it('config check lets a broken inventory hide no warning', async () => {
    const lanes = { ...config.lanes, unmeshed: 'plain' };
    await writeFile(join(dir, 'config.yaml'), JSON.stringify({ ...config, lanes }));
    await writeFile(join(dir, 'inventory.yaml'), 'pods: 5');
    const { err } = await tidelock('config', 'check', '-c', 'config.yaml');
    expect(err).toMatch(/^warning: lanes\.unmeshed is plain/m);
    expect(err).toMatch(/^warning: attestation\.enrolmentFile/m);
  });

  it('config check warns of a service without endpoints, and of a node that cannot attest', async () => {
    const db = { namespace: 'shop', name: 'db', ips: ['10.96.0.10'], ports: [{ port: 80 }] };
    const services = [{ ...db, endpoints: [] }];
    await writeFile(join(dir, 'inventory.yaml'), JSON.stringify({ pods: [], services }));
    const { exit, out } = await tidelock('config', 'check', '-c', 'config.yaml');
    expect(exit).toBe(0);
    expect(out).toMatch(/^config\.yaml is good, but not ready to run$/m);
    expect(out).toMatch(/^warning: .*inventory\.yaml: shop\/db has no endpoints/m);
  });

  it('config check verifies the policy and names the file that an owner did not sign', async () => {
    const file = join(dir, 'owner', 'attestation-policy.json');
    const policy = await readFile(file, 'utf8');
    await writeFile(file, policy.replace('"issuedAt": 1', '"issuedAt": 2'));
    const { exit, err } = await tidelock('config', 'check', '-c', 'config.yaml');
    expect(exit).toBe(3);
    expect(err).toMatch(/^error SIGNATURE_INVALID: .*not signed by the expected key; the file is /);
    expect(err).toContain(file);
  });

  it('config check refuses an enrolment that is none', async () => {
    await mkdir(join(dir, 'state'));
    await writeFile(join(dir, 'state', 'enrolment.json'), '{}');
    const attestation = { ...config.attestation, enrolmentFile: 'state/enrolment.json' };
    await writeFile(join(dir, 'config.yaml'), JSON.stringify({ ...config, attestation }));
    const { exit, err } = await tidelock('config', 'check', '-c', 'config.yaml');
    expect(exit).toBe(4);
    expect(err).toMatch(/^error DOCUMENT_MALFORMED: .*enrolment\.json/);
  });

  it('config check ends in one error for a broken configuration', async () => {
    await writeFile(join(dir, 'config.yaml'), 'domain: [');
    const { exit, err } = await tidelock('config', 'check', '--config', 'config.yaml');
    expect(exit).toBe(2);
    expect(err).toMatch(/^error CONFIG_INVALID: /);
  });
});

describe('tidelock status', () => {
  it('status says how to reach an agent when none answers', async () => {
    const { exit, err } = await tidelock('status', '--run-dir', '.');
    expect(exit).toBe(5);
    expect(err).toMatch(
      /^error AGENT_UNREACHABLE: .*control\.sock: there is no such socket\n {2}hint: /,
    );
  });

  it('status refuses the answer of something that is no agent of this version', async () => {
    await using _control = await serveControl(join(dir, 'control.sock'), {
      'GET /status': () => ({ apiVersion: 'tidelock/v1', kind: 'Status', agent: {} }),
    });
    const { exit, err } = await tidelock('status', '--socket', 'control.sock');
    expect(exit).toBe(4);
    expect(err).toMatch(/AGENT_ANSWER_INVALID: .*agent\.version/);
  });
});

describe('verbs that ask a running agent', () => {
  const link = { id: 'pod', state: 'broken', text: 'no such pod' };
  const answers = {
    Epochs: EPOCHS,
    Lanes: {
      node: 'node-a',
      filter: {},
      lanes: [],
      omitted: 0,
      silentWorkers: 0,
      draining: 0,
      totals: {
        active: 0,
        openedOut: 0,
        openedIn: 0,
        sameNode: 0,
        plainOut: 0,
        bytesOut: 0,
        bytesIn: 0,
        keyUpdates: 0,
      },
      refused: {},
    },
    Why: { node: 'node-a', question: 'x', verdict: 'broken', answer: 'no such pod', links: [link] },
  } as const;
  /** What each route was asked, as the agent got it. */
  let asked: unknown[];
  const serve = () => {
    asked = [];
    const route = (kind: keyof typeof answers) => (query: object) => {
      asked.push(query);
      return { apiVersion: 'tidelock/v1', kind, ...answers[kind] };
    };
    return serveControl(join(dir, 'control.sock'), {
      'GET /epochs': route('Epochs'),
      'GET /lanes': route('Lanes'),
      'GET /why': route('Why'),
    });
  };

  it.each([
    ['epochs', 'Epochs', {}],
    ['lanes', 'Lanes', {}],
    ['lanes --pod shop/web-0 --peer node-b', 'Lanes', { pod: 'shop/web-0', peer: 'node-b' }],
    ['why shop/web-0', 'Why', { pod: 'shop/web-0' }],
    ['why a to [fd00::1]:80', 'Why', { pod: 'a', to: '[fd00::1]:80' }],
  ] as const)('%s prints the answer as one document', async (call, kind, query) => {
    await using _control = await serve();
    const argv = [...call.split(' '), '--socket', 'control.sock'];
    const { exit, out } = await tidelock(...argv, '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toEqual({ apiVersion: 'tidelock/v1', kind, ...answers[kind] });
    expect(asked).toEqual([query]);
    expect((await tidelock(...argv)).out).toMatch(/node-a|records come/);
  });

  it.each(['epochs', 'lanes', 'why shop/web-0', 'completion pods'])(
    '%s exits 5 when no agent answers',
    async (call) => {
      const { exit, err } = await tidelock(...call.split(' '), '--run-dir', '.');
      expect(exit).toBe(5);
      expect(err).toMatch(/^error AGENT_UNREACHABLE: /);
    },
  );

  it.each([
    ['why', /<pod> \[to <pod>\[:port\]\] is missing/],
    ['why a b', /it takes <pod> \[to/],
    ['why a to', /it takes <pod> \[to/],
    ['why a to b:0', /"b:0" names no destination/],
    ['completion tcsh', /"tcsh" is none of/],
  ])('%s is refused before an agent is asked', async (call, state) => {
    const { exit, err } = await tidelock(...call.split(' '));
    expect(exit).toBe(2);
    expect(err).toMatch(state);
  });
});
