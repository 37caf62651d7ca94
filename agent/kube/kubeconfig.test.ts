// Tests of which kubeconfig files an agent takes, and how it says no.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import { readKubeconfig } from './kubeconfig.ts';

const dir = mkdtempSync(join(tmpdir(), 'tl-kubeconfig-'));
afterAll(() => rmSync(dir, { recursive: true }));

const written = (text: string): string => {
  const file = join(dir, 'config');
  writeFileSync(file, text);
  return file;
};

const config = (cluster: object, user: object): string =>
  written(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      preferences: {},
      'current-context': 'b',
      contexts: [
        { name: 'a', context: { cluster: 'other', user: 'other' } },
        { name: 'b', context: { cluster: 'prod', user: 'agent', namespace: 'n' } },
      ],
      clusters: [
        { name: 'other', cluster: { server: 'http://elsewhere' } },
        { name: 'prod', cluster: { server: 'https://api.example.org:6443/', ...cluster } },
      ],
      users: [
        { name: 'other', user: { exec: { command: 'rm' } } },
        { name: 'agent', user },
      ],
    }),
  );

/** What it was refused for. */
function refused(file: string): string {
  try {
    readKubeconfig(file);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(TidelockError);
    expect(thrown).toMatchObject({ code: 'KUBE_DENIED', hint: expect.stringContaining('https') });
    return (thrown as TidelockError).message;
  }
  return 'taken';
}

describe('readKubeconfig()', () => {
  it('readKubeconfig() takes the current context alone, with paths from the folder of the file', () => {
    const file = config(
      { 'certificate-authority': 'ca.crt', 'tls-server-name': 'api' },
      { tokenFile: 'secrets/token', token: 'older' },
    );
    expect(readKubeconfig(file)).toEqual({
      cluster: {
        name: 'cluster',
        server: 'https://api.example.org:6443',
        skipTLSVerify: false,
        caFile: join(dir, 'ca.crt'),
        tlsServerName: 'api',
      },
      user: {
        name: 'user',
        authProvider: { name: 'tokenFile', config: { tokenFile: join(dir, 'secrets/token') } },
      },
    });
  });

  it('readKubeconfig() takes a token, or a client certificate, in the file or beside it', () => {
    expect(readKubeconfig(config({}, { token: 't' })).user).toEqual({ name: 'user', token: 't' });
    const pair = { 'client-certificate-data': 'Yw==', 'client-key': '/k.pem' };
    expect(readKubeconfig(config({}, pair)).user).toEqual({
      name: 'user',
      certData: 'Yw==',
      keyFile: '/k.pem',
    });
  });

  it.each([
    ['a server without TLS', { server: 'http://api.example.org' }, {}, 'must be https://'],
    ['credentials in the URL', { server: 'https://me:pw@api' }, {}, 'must be https://'],
    ['any certificate', { 'insecure-skip-tls-verify': true }, {}, 'anybody could take the token'],
    ['a proxy', { 'proxy-url': 'http://p' }, {}, 'proxy-url: is not supported'],
    ['a program', {}, { exec: { command: 'aws' } }, 'runs no program'],
    ['a plugin', {}, { 'auth-provider': { name: 'gcp' } }, 'runs no program'],
    ['a password', {}, { username: 'me', password: 'pw' }, 'no API server takes passwords'],
    ['somebody else', {}, { as: 'root' }, 'as: is not supported'],
  ])('readKubeconfig() refuses %s', (_, cluster, user, why) => {
    expect(refused(config(cluster, user))).toContain(why);
  });

  it.each([
    ['that is not there', join(dir, 'none'), 'ENOENT'],
    ['that is a folder', dir, 'EISDIR'],
  ])('readKubeconfig() refuses a file %s', (_, file, why) => {
    expect(refused(file)).toContain(why);
  });

  it.each(['', '[]', 'a: [', 'current-context: x\ncontexts: []\nclusters: []\nusers: []\n', '\0'])(
    'readKubeconfig() refuses %j',
    (text) => {
      expect(refused(written(text))).toMatch(/^Cannot use the kubeconfig/);
    },
  );
});
