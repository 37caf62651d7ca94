import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import {
  makeCertificate,
  makeKeys,
  type CertificateSpec,
  type MadeCertificate,
} from '#attest/testdata/certificate.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { noVectors, vectorDirectory } from '#attest/testdata/vectors.ts';
import { authorityFacts, type Authority } from './authority.ts';
import { makeBundle, readBundle, type RootsBundle } from './bundle.ts';
import { checkAuthorities } from './check.ts';
import { readEkAuthorities } from './read.ts';

const WHEN = Date.UTC(2027, 0, 1);
const subject = { O: 'Maker', CN: 'Root' };
const root = makeCertificate({ subject, keys: makeKeys('P-256'), ca: true });
const intermediate = (change: Partial<CertificateSpec> = {}): MadeCertificate =>
  makeCertificate({
    subject: { O: 'Maker', CN: 'Intermediate' },
    keys: root.keys,
    issuer: root,
    ca: true,
    ...change,
  });

const authority = ({ x509 }: MadeCertificate, source = 'a letter'): Authority => ({
  certificate: x509,
  source,
  addedAtMs: undefined,
});

const BOTH = [authority(root), authority(intermediate())];
const bundle = makeBundle(BOTH, WHEN);
const bytesOf = (value: unknown): Uint8Array => utf8(JSON.stringify(value));

let dir: string;
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'tl-roots-'))));
afterAll(() => rm(dir, { recursive: true }));

/** Each once. */
const fingerprints = (authorities: readonly Authority[]): string[] =>
  [...new Set(authorities.map(({ certificate }) => certificate.fingerprint256))].sort();

it('authorityFacts() names maker and role', () => {
  expect(authorityFacts(root.x509)).toMatchObject({
    name: 'Root',
    vendor: 'Maker',
    subject: 'O=Maker, CN=Root',
    role: 'root',
    notAfter: '2049-01-01T00:00:00.000Z',
  });
  expect(authorityFacts(intermediate().x509).role).toBe('intermediate');
});

it('makeBundle() keeps each certificate once, with its first source, byte for byte', () => {
  const again = authority(root, 'somewhere else');
  const { roots } = makeBundle([...BOTH, again], WHEN);
  expect(roots.map(({ name, source }) => [name, source])).toEqual([
    ['Intermediate', 'a letter'],
    ['Root', 'a letter'],
  ]);
  const read = readBundle(bytesOf(bundle));
  expect(fingerprints(read)).toEqual(fingerprints(BOTH));
  expect(read.every(({ addedAtMs }) => addedAtMs === WHEN)).toBe(true);
});

type Entry = RootsBundle['roots'][number];
it.each<[string, Partial<Entry>]>([
  ['another name', { name: 'Better Root' }],
  ['another maker', { vendor: 'Other' }],
  ['another subject', { subject: 'CN=x' }],
  ['another fingerprint', { sha256: '00'.repeat(32) }],
  ['another role', { role: 'root' }],
  ['a later last day', { notAfter: '2099-01-01T00:00:00.000Z' }],
  ['no source', { source: '' }],
  ['what is no certificate', { der: 'AAAA' }],
])('readBundle() refuses %s than the certificate says', (_, change) => {
  const [first, ...rest] = bundle.roots;
  const changed = { ...bundle, roots: [{ ...first, ...change }, ...rest] };
  expect(outcome(readBundle, bytesOf(changed))).toBe('malformed');
});

it('readBundle() ends in one error on any bytes', () => {
  const sample = bytesOf(bundle);
  fc.assert(fc.property(hostile(sample), (bytes) => void outcome(readBundle, bytes)));
});

it('readEkAuthorities() reads a bundle, a file and a directory alike', async () => {
  await writeFile(join(dir, 'bundle.json'), bytesOf(bundle));
  await writeFile(join(dir, 'root.pem'), root.pem);
  const fromBundle = await readEkAuthorities(join(dir, 'bundle.json'));
  expect(fromBundle.certificates).toHaveLength(2);
  expect((await readEkAuthorities(join(dir, 'root.pem'))).certificates).toHaveLength(1);
  const fromDirectory = await readEkAuthorities(dir);
  expect(fromDirectory.certificates).toHaveLength(3);
  expect(fromDirectory.skipped).toEqual([]);
});

it('readEkAuthorities() names the file that it cannot read', async () => {
  const path = join(dir, 'empty.pem');
  await writeFile(path, '');
  await expect(readEkAuthorities(path)).rejects.toThrow(`Cannot read authority ${path}: `);
  await writeFile(path, '{"v": 2}');
  await expect(readEkAuthorities(path)).rejects.toThrow(path);
  await rm(path);
});

const codes = (authorities: readonly Authority[], atMs = WHEN): string[] =>
  checkAuthorities(authorities, atMs).map(({ code, severity }) => `${severity} ${code}`);

it('checkAuthorities() finds nothing wrong with a root and its intermediate', () => {
  expect(codes(BOTH)).toEqual([]);
});

/** `root` with an octet of its algorithm or curve changed into one that nobody knows. */
const unknownKey = (id: string, octet: number): Authority => {
  const der = Buffer.from(root.der);
  der[der.indexOf(Buffer.from(id, 'hex')) + octet] = 0x7f;
  return { ...authority(root), certificate: new X509Certificate(der) };
};

const forged = makeCertificate({ subject, keys: makeKeys('P-256'), issuer: root, ca: true });
it.each<[string, readonly Authority[], string[]]>([
  ['no CA', [authority(makeCertificate({ subject, keys: root.keys }))], ['error NOT_A_CA']],
  ['a name that is not its own signature', [authority(forged)], ['error SELF_SIGNATURE_BAD']],
  ...[unknownKey('06072a8648ce3d0201', 8), unknownKey('06082a8648ce3d030107', 9)].map(
    (odd): [string, readonly Authority[], string[]] => [
      'a key or curve that OpenSSL does not know',
      [odd],
      ['error SELF_SIGNATURE_BAD', 'error KEY_UNREADABLE'],
    ],
  ),
  ['an intermediate without a root', [authority(intermediate())], ['warning NO_ROOT']],
  ['the same twice', [authority(root), authority(root, 'b')], ['info DUPLICATE']],
  [
    'an expired one',
    [authority(root), authority(intermediate({ validToMs: WHEN - 1 }))],
    ['warning EXPIRED'],
  ],
  [
    'one that expires soon',
    [authority(root), authority(intermediate({ validToMs: WHEN + 86_400_000 }))],
    ['warning EXPIRES_SOON'],
  ],
  [
    'one that is not valid yet',
    [authority(root), authority(intermediate({ validFromMs: WHEN + 1000 }))],
    ['warning NOT_YET_VALID'],
  ],
])('checkAuthorities() finds %s', (_, authorities, wanted) => {
  expect(codes(authorities)).toEqual(wanted);
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  it('readEkAuthorities() loads every file of keylime’s store, and a bundle of them holds the same', async () => {
    const { authorities, skipped } = await readEkAuthorities(vectorDirectory('ek/roots/keylime'));
    expect(skipped).toEqual([]);
    const read = readBundle(bytesOf(makeBundle(authorities, WHEN)));
    expect(fingerprints(read)).toEqual(fingerprints(authorities));
  });

  it('checkAuthorities() tells weak, odd and rootless ones apart in keylime’s store', async () => {
    const { authorities } = await readEkAuthorities(vectorDirectory('ek/roots/keylime'));
    const findings = checkAuthorities(authorities, WHEN);
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    const text = findings.map((finding) => `${finding.code} ${finding.text}`).join('\n');
    expect(text).toMatch(/^WEAK_SIGNATURE intermediate "IFX TPM EK Intermediate CA 15" .*sha1/m);
    expect(text).toMatch(/^NOT_DER root "Nuvoton TPM Root CA 1110" .*unsorted SET/m);
    expect(text).toMatch(/^NO_ROOT intermediate "STM TPM ECC Root CA 01"/m);
    expect(text).not.toMatch(/^NO_ROOT intermediate "STM TPM EK Root CA"/m);
  });
});
