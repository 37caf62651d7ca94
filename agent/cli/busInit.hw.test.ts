import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { callIn } from './calling.fixture.ts';

const dir = mkdtempSync(`${tmpdir()}/tl-bus-init-`);
afterAll(() => rmSync(dir, { recursive: true }));

const HOSTS = ['nats-0.example.org', 'nats-1.example.org', '2001:db8::3'];
const init = (...more: readonly string[]) =>
  callIn(dir, ['bus', 'init', '--cluster', 'prod', ...more]);

describe('tidelock bus init', () => {
  it('makes servers and credentials, and says what goes where', async () => {
    const servers = HOSTS.flatMap((host) => ['--server', host]);
    const called = await init(...servers, '--node', 'node-a', '-o', 'json');
    expect(called).toMatchObject({ exit: 0, err: '' });
    const said = JSON.parse(called.out) as { bus: object; credentials: string[] };
    expect(said.bus).toMatchObject({
      servers: [
        'tls://nats-0.example.org:4222',
        'tls://nats-1.example.org:4222',
        'tls://[2001:db8::3]:4222',
      ],
      replicas: 3,
    });
    expect(said.credentials).toEqual([`${dir}/bus/nodes/node-a.creds`]);
    for (const host of HOSTS) {
      const config = readFileSync(`${dir}/bus/servers/${host}/nats.conf`, 'utf8');
      expect(config).toContain('nats-route://[2001:db8::3]:6222');
      expect(config).not.toMatch(/\bS[OAU][A-Z2-7]{56}\b/); // no seed
    }
  });

  it('leaves what is secret to its owner alone', () => {
    const secret = [
      'keys/operator.nk',
      'keys/nodes.nk',
      'keys/ca.key',
      'admin.creds',
      'nodes/node-a.creds',
    ];
    for (const file of [...secret, ...HOSTS.map((host) => `servers/${host}/server.key`)]) {
      expect(statSync(`${dir}/bus/${file}`).mode & 0o077, file).toBe(0);
    }
  });

  it('overwrites nothing', async () => {
    const before = readFileSync(`${dir}/bus/account.jwt`, 'utf8');
    const called = await init('--server', 'elsewhere');
    expect(called.exit).toBe(2);
    expect(called.err).toMatch(/FILE_EXISTS/);
    expect(readFileSync(`${dir}/bus/account.jwt`, 'utf8')).toBe(before);
  });

  it.each([
    ['a host that would say more', ['--server', 'a\nsubjectAltName=DNS:b']],
    ['a host with a port', ['--server', 'a:4222']],
    ['a path to be quoted', ['--server', 'a', '--config-dir', '/etc/"x']],
    ['a node of another name', ['--server', 'a', '--node', '../x']],
    ['a port that is none', ['--server', 'a', '--port', '70000']],
    ['no server', []],
  ])('refuses %s and makes nothing', async (_, more) => {
    const called = await init('--dir', 'none', ...more);
    expect(called.exit).toBe(2);
    expect(existsSync(`${dir}/none`)).toBe(false);
  });
});

describe('tidelock bus add', () => {
  it('makes credentials for one more node', async () => {
    const called = await callIn(dir, ['bus', 'add', 'node-b']);
    expect(called).toMatchObject({ exit: 0, out: `wrote ${dir}/bus/nodes/node-b.creds\n` });
    expect(readFileSync(`${dir}/bus/nodes/node-b.creds`, 'utf8')).toContain('NATS USER JWT');
  });

  it('says that there is no authority where it looks', async () => {
    const called = await callIn(dir, ['bus', 'add', 'node-b', '--dir', 'nowhere']);
    expect(called.exit).toBe(2);
    expect(called.err).toMatch(/what tidelock bus init made/);
  });
});
