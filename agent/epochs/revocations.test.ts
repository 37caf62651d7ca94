import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { signRevocation } from '#attest/revocation.ts';
import { keptLog } from './records.fixture.ts';
import { Revocations } from './revocations.ts';

const B = 'node-b' as NodeName;
const owner = generateSigningKey();
const stranger = generateSigningKey();

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tidelock-revocations-'));
});
afterEach(() => rm(dir, { recursive: true }));

const openIn = async (directory: string) => {
  const { log, lines } = keptLog();
  const options = { owners: [owner.public], domain: 'example.org', cluster: 'c', directory, log };
  return { held: await Revocations.open(options), lines };
};

const revocationAt = (issuedAt: number, key = owner, change: object = {}) =>
  signRevocation(
    { v: 1, domain: 'example.org', cluster: 'c', node: B, reason: 'lost', issuedAt, ...change },
    key,
  );

describe('Revocations', () => {
  test('keeps the newest of a node, over the end of the process', async () => {
    const { held } = await openIn(dir);
    expect(await held.take(revocationAt(2000))).toMatchObject({ isNews: true });
    expect(await held.take(revocationAt(3000))).toMatchObject({ isNews: true });
    for (const at of [1000, 3000]) {
      const taken = await held.take(revocationAt(at));
      expect(taken).toMatchObject({ isNews: false, revocation: { issuedAt: 3000 } });
    }
    const { held: again, lines } = await openIn(dir);
    expect(again.of(B)).toMatchObject({ reason: 'lost', issuedAt: 3000 });
    expect(again.documents()).toEqual(held.documents());
    expect(lines).toEqual([]);
    expect(again.of('node-c' as NodeName)).toBeUndefined();
  });

  test.each([
    ['by a stranger', revocationAt(2000, stranger), 'SIGNATURE_INVALID'],
    ['of another cluster', revocationAt(2000, owner, { cluster: 'd' }), 'REVOCATION_REFUSED'],
    ['of another domain', revocationAt(2000, owner, { domain: 'd.org' }), 'REVOCATION_REFUSED'],
    ['that is none', { any: 'thing' }, 'DOCUMENT_MALFORMED'],
    ['that is nothing', undefined, 'DOCUMENT_MALFORMED'],
  ])('takes none %s, and keeps nothing of it', async (_what, document, code) => {
    const { held } = await openIn(dir);
    await expect(held.take(document)).rejects.toMatchObject({ code });
    expect(held.of(B)).toBeUndefined();
    expect(await readdir(dir)).toEqual([]);
  });

  test('keeps that of a node with the longest of names', async () => {
    const node = Array(4).fill('n'.repeat(62)).join('.') as NodeName;
    const { held } = await openIn(dir);
    await held.take(revocationAt(2000, owner, { node }));
    const { held: again, lines } = await openIn(dir);
    expect(again.of(node)).toMatchObject({ issuedAt: 2000 });
    expect(lines).toEqual([]);
  });

  test('takes none that is padded beyond a message', async () => {
    const { held } = await openIn(dir);
    const padded = { ...revocationAt(2000), note: 'x'.repeat(16 << 10) };
    await expect(held.take(padded)).rejects.toMatchObject({ code: 'REVOCATION_REFUSED' });
  });

  test('keeps nothing of what was put beside a word after signing', async () => {
    const { held } = await openIn(dir);
    const document = revocationAt(2000);
    const deep: unknown = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`);
    await held.take({ ...document, deep });
    expect(held.documents().map((each) => each.document)).toEqual([document]);
    const { held: again } = await openIn(dir);
    expect(again.documents().map((each) => each.document)).toEqual([document]);
  });

  test('passes over a file that is none, says so, and reads the others', async () => {
    const { held } = await openIn(dir);
    await held.take(revocationAt(2000));
    await writeFile(join(dir, 'a.json'), '{');
    await writeFile(join(dir, 'b.json'), JSON.stringify(revocationAt(9000, stranger)));
    const { held: again, lines } = await openIn(dir);
    expect(again.of(B)).toMatchObject({ issuedAt: 2000 });
    expect(lines.map(({ event }) => event)).toEqual(Array(2).fill('revocation.unreadable'));
    expect(lines[0]?.text).toContain(join(dir, 'a.json'));
  });

  test('counts without a disk, and says that it will not after a restart', async () => {
    const { held, lines } = await openIn('/proc/none');
    expect(await held.take(revocationAt(2000))).toMatchObject({ isNews: true });
    expect(held.of(B)).toMatchObject({ issuedAt: 2000 });
    expect(lines).toMatchObject([{ event: 'revocation.unkept' }]);
  });

  test('does not start where those that were kept cannot be read', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(openIn(join(dir, 'file'))).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});
