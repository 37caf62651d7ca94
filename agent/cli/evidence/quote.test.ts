// `tidelock evidence quote` as a person runs it, on quotes of the tests' own and on the shared ones.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { concat, hex, u16 } from '#agent/base/bytes.ts';
import { callIn } from '#agent/cli/calling.fixture.ts';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { madeNonce, madePcrs, makeAk, makeAttest, tpmSignature } from '#attest/testdata/quote.ts';
import {
  noVectors,
  truths,
  vectorDirectory,
  vectorText,
  type QuoteTruth,
} from '#attest/testdata/vectors.ts';
import { parsePublic } from '#attest/tpm/public.ts';

const ak = makeAk('RSA');
const message = makeAttest();
const akName = hex(parsePublic(ak.area).name);
/** extKeyUsage tcg-kp-AIKCertificate, 2.23.133.8.3. */
const AK_PURPOSE = { id: '2.5.29.37', value: Buffer.from('300706056781050803', 'hex') };
const root = makeCertificate({ subject: { CN: 'root' }, keys: makeKeys('P-256'), ca: true });
/** With keyUsage digitalSignature, as attestation keys have it. */
const certificate = makeCertificate({
  subject: { CN: 'ak' },
  keys: ak,
  issuer: root,
  extensions: [{ id: '2.5.29.15', value: Buffer.from([3, 2, 0, 0x80]) }, AK_PURPOSE],
});

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tl-quote-'));
  await writeFile(join(dir, 'quote.msg'), message);
  await writeFile(join(dir, 'quote.tpm2b'), concat(u16(message.length), message));
  await writeFile(join(dir, 'cut.msg'), message.subarray(0, -1));
  await writeFile(join(dir, 'quote.sig'), tpmSignature(ak, message));
  await writeFile(join(dir, 'ak.tpm2b'), concat(u16(ak.area.length), ak.area));
  await writeFile(join(dir, 'ak.pem'), ak.publicKey.export({ type: 'spki', format: 'pem' }));
  await mkdir(join(dir, 'roots'));
  await writeFile(join(dir, 'roots', 'root.pem'), root.pem);
  await writeFile(join(dir, 'ak.der'), certificate.der);
  const sha256 = Object.fromEntries(Array.from(madePcrs, ([pcr, value]) => [pcr, hex(value)]));
  await writeFile(join(dir, 'pcrs.json'), JSON.stringify({ sha256 }));
});
afterAll(() => rm(dir, { recursive: true }));

const evidenceQuote = (...argv: string[]) => callIn(dir, ['evidence', 'quote', ...argv]);

interface Printed {
  readonly verdict: string;
  readonly vector: Readonly<Record<string, number>>;
  readonly checks: readonly { readonly name: string; readonly result: string }[];
  readonly attest: Readonly<Record<string, unknown>> | null;
}

const named = ({ checks }: Printed, wanted: string): string[] =>
  checks.filter(({ result }) => result === wanted).map(({ name }) => name);

const QUOTE = ['--message', 'quote.msg', '--signature', 'quote.sig', '--pcrs', 'pcrs.json'];
const NONCE = ['--nonce', hex(madeNonce)];

describe('tidelock evidence quote', () => {
  it('says every field of a quote by the enrolled key', async () => {
    const pinned = ['--ak', 'ak.tpm2b', '--ak-name', akName];
    const { exit, out } = await evidenceQuote(...QUOTE, ...NONCE, ...pinned, '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      kind: 'QuoteEvidence',
      verdict: 'warning',
      vector: { 'instance-identity': 2, executables: 0 },
      claims: { pcrs: { sha256: { '0': '01'.repeat(32) } } },
      attest: { magic: 'ff544347', type: '8018', extraData: hex(madeNonce) },
    });
  });

  it('skips what a bare key does not say, and vouches for no identity then', async () => {
    const { exit, out } = await evidenceQuote(...QUOTE, ...NONCE, '--ak', 'ak.pem', '-o', 'json');
    const printed = JSON.parse(out) as Printed;
    expect({ exit, verdict: printed.verdict }).toEqual({ exit: 0, verdict: 'warning' });
    expect(printed.vector).toMatchObject({ 'instance-identity': 32 });
    expect(named(printed, 'skipped')).toEqual(['AK attributes', 'AK name', 'reference values']);
    const pinned = ['--ak', 'ak.pem', '--ak-name', akName];
    expect((await evidenceQuote(...QUOTE, ...NONCE, ...pinned)).exit).toBe(0);
  });

  it('takes a nonce that begins with 0x', async () => {
    const nonce = ['--nonce', `0x${hex(madeNonce)}`, '--ak', 'ak.tpm2b'];
    expect((await evidenceQuote(...QUOTE, ...nonce)).exit).toBe(0);
  });

  it.each([
    ['another nonce', ['--nonce', '00']],
    ['an empty nonce', ['--nonce', '']],
    ['no nonce', []],
  ])('ends with 3 for %s', async (_, nonce) => {
    const { exit, out } = await evidenceQuote(...QUOTE, ...nonce, '--ak', 'ak.pem', '-o', 'json');
    expect(exit).toBe(3);
    expect(named(JSON.parse(out) as Printed, 'fail')).toEqual(['nonce']);
  });

  it('takes a TPM2B_ATTEST for the TPMS_ATTEST in it', async () => {
    const sized = ['--message', 'quote.tpm2b', '--previous', 'quote.tpm2b', ...QUOTE.slice(2)];
    const { exit, out } = await evidenceQuote(...sized, ...NONCE, '--ak', 'ak.pem', '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ attest: { extraData: hex(madeNonce) } });
  });

  it('ends with 4 for what is no quote', async () => {
    const cut = ['--message', 'cut.msg', ...QUOTE.slice(2), ...NONCE, '--ak', 'ak.pem'];
    const { exit, err } = await evidenceQuote(...cut);
    expect(exit).toBe(4);
    expect(err).toContain('Cannot read TPMS_ATTEST');
  });

  it('takes a certificate for the key, under roots that the reader trusts', async () => {
    const certificate = [...QUOTE, ...NONCE, '--ak-cert', 'ak.der'];
    const { exit, out } = await evidenceQuote(...certificate, '--roots', 'roots', '-o', 'json');
    expect(exit).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      vector: { 'instance-identity': 2 },
      claims: { ak_certificate: { role: 'AK' } },
    });
    const { exit: refused, err } = await evidenceQuote(...certificate);
    expect(refused).toBe(2);
    expect(err).toContain('--ak-cert needs --roots');
  });

  it('refuses to judge without a key', async () => {
    const { exit, err } = await evidenceQuote(...QUOTE, ...NONCE);
    expect(exit).toBe(2);
    expect(err).toContain('--ak FILE is missing');
  });
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  /** The files of a folder, as far as they are there. */
  function flagsOf(folder: string, truth: QuoteTruth, key: string): string[] {
    const file = (name: string): string => resolve(vectorDirectory(`${folder}/${name}`));
    const first = (...names: readonly string[]): string =>
      names.map(file).find(existsSync) ?? file('missing');
    const bank = folder.includes('q3_sha1') ? 'sha256' : (truth.attest.pcrSelect[0]?.alg ?? '');
    const optional = ['eventlog.bin', 'ima.ascii']
      .map(file)
      .filter(existsSync)
      .flatMap((path) => [path.endsWith('.bin') ? '--eventlog' : '--ima', path]);
    const flags = {
      message: file('quote.msg'),
      signature: first('quote.sig', 'quote.rawsig'),
      ak: file(key),
      nonce: vectorText(`${folder}/nonce.hex`),
      pcrs: first('pcrs.json', 'quotepcr.out'),
      bank,
    };
    return [...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]), ...optional];
  }

  const cases = truths<QuoteTruth>('tpm-quote', 'quote.msg').flatMap(([path, truth, negative]) => {
    const folder = path.replace('/quote.msg', '');
    return ['ak.pem', 'ak.tpm2b_public', 'ak.tpmt_public', 'ak.cert.der']
      .filter((key) => existsSync(vectorDirectory(`${folder}/${key}`)))
      .map((key) => ({ folder, key, truth, negative }));
  });

  it.each(cases)('$folder with $key comes out as its origin says', async (sample) => {
    const { folder, key, truth, negative } = sample;
    const { exit, out } = await evidenceQuote(...flagsOf(folder, truth, key), '-o', 'json');
    const printed = JSON.parse(out) as Printed;
    const isFresh = truth.nonce_matches && truth.attest.extraData !== '';
    expect(exit).toBe(negative || !isFresh ? 3 : 0);
    expect(named(printed, 'pass').includes('quote signature')).toBe(truth.sig_valid);
    expect(named(printed, 'fail').includes('nonce')).toBe(truth.sig_valid && !isFresh);
    const { trailing: _, ...attest } = { trailing: 0, ...truth.attest };
    expect(printed.attest).toEqual(truth.sig_valid ? attest : null);
    expect(printed.verdict).not.toBe('affirming'); // nobody gave values to compare with
  });

  it('swtpm-q3_sha1_only is refused for its bank', async () => {
    const [sample] = cases.filter(({ folder }) => folder.endsWith('q3_sha1_only'));
    if (sample === undefined) throw new Error('the shared vectors have no quote q3');
    const { folder, truth, key } = sample;
    const { out } = await evidenceQuote(...flagsOf(folder, truth, key), '-o', 'json');
    expect(named(JSON.parse(out) as Printed, 'fail')).toContain('PCR bank');
  });
});
