// `tidelock roots ...` and `tidelock evidence ek` as a person runs them, on files that they would have.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { der, derOid, derSequence } from '#attest/testdata/derWrite.ts';
import { callIn } from './calling.fixture.ts';

const root = makeCertificate({
  subject: { O: 'Maker', CN: 'Root' },
  keys: makeKeys('P-256'),
  ca: true,
});
const ek = makeCertificate({
  subject: {},
  keys: root.keys,
  issuer: root,
  extensions: [
    { id: '2.5.29.15', value: der(0x03, Buffer.of(3, 0x08)), critical: true },
    { id: '2.5.29.37', value: derSequence(derOid('2.23.133.8.1')) },
  ],
});

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-roots-'));
  await mkdir(join(dir, 'roots'));
  await writeFile(join(dir, 'roots', 'root.pem'), root.pem);
  await writeFile(join(dir, 'ek.der'), Buffer.concat([ek.der, Buffer.alloc(64, 0xff)]));
});
afterEach(() => rm(dir, { recursive: true }));

const tidelock = (...argv: string[]) => callIn(dir, argv);

const add = (...files: string[]) =>
  tidelock('roots', 'add', ...files, '--bundle', 'b.json', '--source', 'https://maker.example/');

describe('tidelock roots', () => {
  it('roots add makes a bundle, adds to it, and keeps the first source', async () => {
    expect(await add('roots')).toMatchObject({
      exit: 0,
      out: expect.stringMatching(
        /^added root Root \(Maker\)\nwrote .*: 1 authority, 1 new/,
      ) as string,
    });
    const again = ['roots', 'add', 'roots/root.pem', '--bundle', 'b.json', '--source', 'hearsay'];
    expect((await tidelock(...again)).out).toContain('1 authority, 0 new');
    const { roots } = JSON.parse(await readFile(join(dir, 'b.json'), 'utf8')) as {
      roots: object[];
    };
    expect(roots).toEqual([
      expect.objectContaining({ role: 'root', source: 'https://maker.example/' }),
    ]);
  });

  it('roots add refuses the certificate of a TPM and leaves the bundle as it was', async () => {
    await add('roots');
    const before = await readFile(join(dir, 'b.json'), 'utf8');
    await writeFile(join(dir, 'bare.der'), ek.der);
    const { exit, err } = await add('bare.der');
    expect({ exit, err }).toMatchObject({
      exit: 2,
      err: expect.stringContaining('no authority') as string,
    });
    expect(await readFile(join(dir, 'b.json'), 'utf8')).toBe(before);
  });

  it('roots add does not write over a file that is no bundle', async () => {
    await writeFile(join(dir, 'b.json'), '{"v":2}');
    expect((await add('roots')).exit).toBe(4);
    expect(await readFile(join(dir, 'b.json'), 'utf8')).toBe('{"v":2}');
  });

  it('roots list shows what a directory and a bundle of it hold alike', async () => {
    await add('roots');
    for (const roots of ['roots', 'b.json']) {
      const { exit, out } = await tidelock('roots', 'list', '--roots', roots, '-o', 'json');
      expect(exit).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        kind: 'Roots',
        roots: [
          { vendor: 'Maker', name: 'Root', role: 'root', notAfter: '2049-01-01T00:00:00.000Z' },
        ],
      });
    }
  });

  it('roots check ends with 3 only for what can never vouch for anything', async () => {
    const check = (...more: string[]) => tidelock('roots', 'check', '--roots', 'roots', ...more);
    expect(await check()).toMatchObject({ exit: 0, out: '1 authority, 0 findings\n' });
    const late = await check('--at', '2060-01-01');
    expect(late).toMatchObject({ exit: 0, out: expect.stringContaining('EXPIRED') as string });
    await writeFile(join(dir, 'roots', 'ek.der'), ek.der);
    expect(await check()).toMatchObject({
      exit: 3,
      out: expect.stringContaining('NOT_A_CA') as string,
    });
  });
});

describe('tidelock roots, where something is missing', () => {
  it('roots check ends with 3 where there is no authority at all, and says what to do', async () => {
    await mkdir(join(dir, 'none'));
    const { exit, out } = await tidelock('roots', 'check', '--roots', 'none');
    expect({ exit, out }).toEqual({
      exit: 3,
      out: expect.stringMatching(
        /NO_AUTHORITY .*Put the root .*\n0 authorities, 1 finding\n$/,
      ) as string,
    });
    await writeFile(join(dir, 'none', 'notes.txt'), 'no certificate');
    expect(await add('none')).toMatchObject({ exit: 2 });
  });

  it('roots add makes no directory', async () => {
    const to = ['--bundle', 'missing/b.json', '--source', 'x'];
    expect(await tidelock('roots', 'add', 'roots', ...to)).toMatchObject({
      exit: 6,
      err: expect.stringContaining('there is no directory') as string,
    });
    await expect(stat(join(dir, 'missing'))).rejects.toThrow('ENOENT');
  });

  it('evidence ek says how many files among the roots were not read', async () => {
    await writeFile(join(dir, 'roots', 'root.pem'), 'no certificate');
    const { out } = await tidelock('evidence', 'ek', 'ek.der', '--roots', 'roots');
    expect(out).toMatch(/^fail +chain .* 1 file there was not read: tidelock roots check/m);
  });
});

describe('tidelock evidence ek', () => {
  const judge = (file: string, roots = 'roots', ...more: string[]) =>
    tidelock('evidence', 'ek', file, '--roots', roots, ...more);

  it('evidence ek affirms under a directory and under a bundle of it', async () => {
    await add('roots');
    for (const roots of ['roots', 'b.json']) {
      const { exit, out } = await judge('ek.der', roots, '-o', 'json');
      expect(exit).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        verdict: 'affirming',
        vector: { 'instance-identity': 2 },
        claims: { role: 'EK', issuer: 'O=Maker, CN=Root' },
      });
    }
  });

  it('evidence ek ends with 3 for other roots and after the last day, 4 for what is none', async () => {
    await mkdir(join(dir, 'none'));
    expect((await judge('ek.der', 'none')).out).toMatch(
      /^fail +chain +Its issuer .* is not among/m,
    );
    expect((await judge('ek.der', 'none')).exit).toBe(3);
    expect(await judge('ek.der', 'roots', '--at', '2060-01-01')).toMatchObject({
      exit: 3,
      out: expect.stringMatching(/^fail +validity +.* expired as of 2060/m) as string,
    });
    await writeFile(join(dir, 'short.der'), ek.der.subarray(0, -1));
    expect((await judge('short.der')).exit).toBe(4);
    expect((await judge('ek.der', 'missing')).exit).toBe(2);
  });
});
