import { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, utf8 } from '#agent/base/bytes.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import {
  makeCertificate,
  makeKeys,
  type CertificateSpec,
  type MadeCertificate,
} from '#attest/testdata/certificate.ts';
import {
  der,
  derContext,
  derOid,
  derSequence,
  derSet,
  derUtf8,
} from '#attest/testdata/derWrite.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { noVectors, truths, vector, vectorDirectory } from '#attest/testdata/vectors.ts';
import { verdictOf, type Check } from './check.ts';
import { parseEkCertificate } from './ek.ts';
import { departuresFromDer } from './ekForm.ts';
import { judgeEk, type EkJudgement } from './ekJudge.ts';

const WHEN = Date.UTC(2027, 0, 1);
const keys = makeKeys('P-256');
const root = makeCertificate({ subject: { O: 'Maker', CN: 'Root' }, keys, ca: true });
const intermediate = makeCertificate({
  subject: { O: 'Maker', CN: 'Intermediate' },
  keys: makeKeys('P-256'),
  issuer: root,
  ca: true,
});
const AUTHORITIES = [root.x509, intermediate.x509];

const EK_USAGE = { id: '2.5.29.15', value: der(0x03, Buffer.of(3, 0x08)), critical: true }; // keyAgreement
const EK_PURPOSE = { id: '2.5.29.37', value: derSequence(derOid('2.23.133.8.1')) };

const attribute = (id: string, text: string): Buffer => derSequence(derOid(id), derUtf8(text));
/** All in one SET, as some makers do, in the order given; DER wants the shortest first. */
const subjectAltName = (
  ...attributes: readonly Buffer[]
): NonNullable<CertificateSpec['extensions']>[0] => ({
  id: '2.5.29.17',
  value: derSequence(derContext(4, derSequence(derSet(...attributes)))),
  critical: true,
});
const MANUFACTURER = attribute('2.23.133.2.1', 'id:4E544300');
const MODEL = attribute('2.23.133.2.2', 'NPCT75x');
const VERSION = attribute('2.23.133.2.3', 'id:00070002');

const ekKeys = makeKeys('P-256');
const ek = (spec: Partial<CertificateSpec> = {}): MadeCertificate =>
  makeCertificate({
    subject: {},
    keys: ekKeys,
    issuer: intermediate,
    extensions: [EK_USAGE, EK_PURPOSE, subjectAltName(MODEL, MANUFACTURER, VERSION)],
    ...spec,
  });

const judge = (bytes: Buffer, authorities: readonly X509Certificate[] = AUTHORITIES): EkJudgement =>
  judgeEk(parseEkCertificate(bytes), authorities, WHEN);

/** Names of the checks that did not pass, `residence` and `revocation` aside. */
const shortfalls = ({ checks }: EkJudgement): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);

const found = ({ checks }: EkJudgement, name: string): Check | undefined =>
  checks.find((check) => check.name === name);

it('judgeEk() affirms a certificate that chains to a root, and says whose TPM it is', () => {
  const judged = judge(ek().der);
  expect(shortfalls(judged)).toEqual([]);
  expect(verdictOf(judged.checks)).toBe('affirming');
  expect(judged.claims).toMatchObject({
    role: 'EK',
    issuer: 'O=Maker, CN=Intermediate',
    public_key: { type: 'ec', curve: 'prime256v1' },
    tpm: { manufacturer: 'id:4E544300', vendor: 'NTC', model: 'NPCT75x', version: 'id:00070002' },
    key_usage: ['keyAgreement'],
    extended_key_usage: ['2.23.133.8.1'],
  });
});

it('judgeEk() reads PEM, a padded NV index and the stored form of TPM 1.2 as the same certificate', () => {
  const { der: bare, pem } = ek();
  const wrapped = concat(
    Buffer.of(0x10, 0x01, 0x00, (bare.length + 2) >> 8, (bare.length + 2) & 255),
  );
  const forms = [
    utf8(`Certificate:\n${pem}`),
    concat(bare, Buffer.alloc(300, 0xff)),
    concat(wrapped, Buffer.of(0x10, 0x02), bare),
  ];
  const { claims } = judge(bare);
  for (const form of forms) expect(judge(Buffer.from(form)).claims).toEqual(claims);
});

it('judgeEk() reports padding, and warns of other bytes after the certificate', () => {
  const { der: bare } = ek();
  const padded = judge(concat(bare, Buffer.alloc(9, 0xff)));
  expect(found(padded, 'certificate form')).toMatchObject({
    result: 'pass',
    text: expect.stringContaining('9 bytes follow it, padding of ff') as string,
  });
  expect(verdictOf(judge(concat(bare, Buffer.from('more'))).checks)).toBe('warning');
});

it('judgeEk() reports an unsorted SET and judges the raw DER as it stands', () => {
  const odd = ek({
    extensions: [EK_USAGE, EK_PURPOSE, subjectAltName(VERSION, MANUFACTURER, MODEL)],
  });
  const judged = judge(odd.der);
  expect(shortfalls(judged)).toEqual(['certificate form']);
  expect(found(judged, 'certificate form')?.text).toContain('an unsorted SET');
  expect(verdictOf(judged.checks)).toBe('warning');
  expect(judged.claims).toMatchObject({ tpm: { vendor: 'NTC', version: 'id:00070002' } });
});

const CA = { subject: { CN: 'Intermediate' }, ca: true };
it.each<[string, Partial<CertificateSpec>, string[]]>([
  ['an expired certificate', { validToMs: Date.UTC(2026, 0, 1) }, ['validity']],
  ['one that is not valid yet', { validFromMs: Date.UTC(2028, 0, 1) }, ['validity']],
  ['a CA', { ...CA, extensions: [EK_PURPOSE] }, ['CA flag', 'key usage']],
  ['one for web servers', { extensions: [purpose('1.3.6.1.5.5.7.3.1')] }, ['key usage']],
  ['one that only signs certificates', { extensions: [usage(0x04), EK_PURPOSE] }, ['key usage']],
  [
    'one with a critical extension that nobody knows',
    { extensions: [EK_USAGE, EK_PURPOSE, { id: '1.2.3.4', value: derSequence(), critical: true }] },
    ['critical extensions'],
  ],
  ['one by a stranger', { issuer: { ...intermediate, keys: makeKeys('P-256') } }, ['chain']],
])('judgeEk() refuses %s, each by its own check', (_, change, wanted) => {
  const judged = judge(ek(change).der);
  expect(shortfalls(judged)).toEqual(wanted);
  expect(verdictOf(judged.checks)).toBe('contraindicated');
});

function purpose(id: string) {
  return { id: '2.5.29.37', value: derSequence(derOid(id)) };
}
function usage(bits: number) {
  return { id: '2.5.29.15', value: der(0x03, Buffer.of(0, bits)), critical: true };
}

it('judgeEk() refuses a certificate that signs itself, even when it is among the roots', () => {
  const own = makeCertificate({ subject: { CN: 'me' }, keys: ekKeys, extensions: [EK_USAGE] });
  const judged = judge(own.der, [...AUTHORITIES, own.x509]);
  expect(shortfalls(judged)).toEqual(['chain']);
  expect(judged.claims).toEqual({});
});

it('judgeEk() only warns of an intermediate whose root is missing, and refuses one out of date', () => {
  expect(verdictOf(judge(ek().der, [intermediate.x509]).checks)).toBe('warning');
  const lower = makeCertificate({
    subject: { CN: 'Lower' },
    keys: makeKeys('P-256'),
    issuer: intermediate,
    ca: true,
  });
  const below = judge(ek({ issuer: lower }).der, [lower.x509, intermediate.x509]);
  expect(verdictOf(below.checks)).toBe('warning');
  expect(found(below, 'chain')?.text).toContain('Signed under O=Maker, CN=Intermediate');
  const old = makeCertificate({
    ...intermediate,
    issuer: root,
    ca: true,
    validToMs: Date.UTC(2025, 0, 1),
  });
  expect(verdictOf(judge(ek().der, [root.x509, old.x509]).checks)).toBe('contraindicated');
});

it.each<[string, Partial<CertificateSpec>]>([
  ['expired', { keys, validToMs: Date.UTC(2026, 0, 1) }],
  ['is not valid yet', { keys, validFromMs: Date.UTC(2028, 0, 1) }],
  ['has the name of the right one and another key', { keys: makeKeys('P-256') }],
])('judgeEk() refuses a chain to a root that %s, and gives out no claims', (_, change) => {
  const given = makeCertificate({ ...root, ca: true, ...change });
  const judged = judge(ek().der, [intermediate.x509, given.x509]);
  expect(verdictOf(judged.checks)).toBe('contraindicated');
  expect(judged.claims).toEqual({});
});

it('judgeEk() says what an attestation key certificate is', () => {
  const { claims, checks } = judge(ek({ extensions: [usage(0x80), purpose('2.23.133.8.3')] }).der);
  expect(verdictOf(checks)).toBe('affirming');
  expect(claims).toMatchObject({ role: 'AK', key_usage: ['digitalSignature'] });
  expect(claims).toHaveProperty('key_digest');
  expect(claims).not.toHaveProperty('ek_digest');
});

it('judgeEk() takes a key that signs for an attestation key, as Google certified them', () => {
  const { claims, checks } = judge(ek({ extensions: [usage(0x80), EK_PURPOSE] }).der);
  expect(verdictOf(checks)).toBe('affirming');
  expect(claims).toMatchObject({ role: 'AK' });
});

it('judgeEk() warns of a usage that the key type does not have, and of none at all', () => {
  const encipherment = judge(ek({ extensions: [usage(0x20), EK_PURPOSE] }).der);
  expect(encipherment.claims).toMatchObject({ role: 'EK' });
  expect(shortfalls(encipherment)).toEqual(['key usage']);
  expect(verdictOf(encipherment.checks)).toBe('warning');
  const named = judge(ek({ extensions: [subjectAltName(MANUFACTURER)] }).der);
  expect(verdictOf(named.checks)).toBe('warning');
});

it('judgeEk() takes no certificate for that of a TPM which speaks of none, whatever its extensions hold', () => {
  const chip = { id: '1.3.6.1.4.1.3704.1.4', value: Buffer.alloc(64, 0xff) };
  const judged = judge(ek({ extensions: [chip] }).der);
  expect(shortfalls(judged)).toEqual(['certificate form', 'key usage']);
  expect(found(judged, 'certificate form')?.text).toContain('an extension that holds no DER');
  expect(verdictOf(judged.checks)).toBe('none');
});

it('judgeEk() says how many files among the roots were not read, when the chain fails', () => {
  const chainText = (authorities: readonly X509Certificate[]): string | undefined =>
    found(judgeEk(parseEkCertificate(ek().der), authorities, WHEN, 2), 'chain')?.text;
  expect(chainText([])).toMatch(/2 files there were not read: tidelock roots check says why\.$/);
  expect(chainText(AUTHORITIES)).not.toContain('not read');
});

it('judgeEk() gives out no claims unless a signature verified (trap 6)', () => {
  const { der: bytes } = ek();
  expect(judge(bytes, []).claims).toEqual({});
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
      const judged = outcome((altered) => judge(Buffer.from(altered)), flipped(bytes, at, bit));
      if (judged !== 'malformed') expect(judged.claims).toEqual({});
    }),
    { numRuns: 60 },
  );
});

it('judgeEk() ends in a judgement or one error on any bytes, in any form', () => {
  const { der: bare, pem } = ek();
  const stored = concat(Buffer.of(0x10, 0x01, 0x00, bare.length >> 8, bare.length & 255), bare);
  for (const sample of [bare, utf8(pem), stored]) {
    fc.assert(
      fc.property(hostile(sample), (bytes) => void outcome((b) => judge(Buffer.from(b)), bytes)),
      { numRuns: 60 },
    );
  }
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const everyRoot = readEkAuthorities(vectorDirectory('ek/roots'));
  const samples = truths<{ verifies_against_roots: boolean; openssl: string }>('ek');

  it.each(samples)(
    'judgeEk() agrees with TRUTH of %s',
    async (path, { openssl, verifies_against_roots }) => {
      const { certificates } = await everyRoot;
      const { checks, claims } = judge(vector(path), certificates);
      expect(verdictOf(checks) === 'affirming').toBe(verifies_against_roots);
      expect(claims['serial']).toBe(/serial=(\w+)/.exec(openssl)?.[1]);
      const [notBefore, notAfter] = ['notBefore', 'notAfter'].map((name) =>
        new Date(new RegExp(`${name}=(.*)`).exec(openssl)?.[1] ?? '').toISOString(),
      );
      expect(claims['validity']).toEqual({ not_before: notBefore, not_after: notAfter });
    },
  );

  it.each(['gosev-milan', 'coco-milan', 'virtee-milan'])(
    'judgeEk() refuses the key of a processor, %s, even under the roots of its maker',
    async (name) => {
      const roots = vectorDirectory('snp/ark_ask_milan_chain.pem');
      const { certificates } = await readEkAuthorities(roots);
      const { checks } = judge(vector(`snp/${name}.vek.der`), certificates);
      expect(['none', 'contraindicated']).toContain(verdictOf(checks));
    },
  );

  it('judgeEk() affirms the attestation key certificate beside a real quote of Google Cloud', async () => {
    const path = 'tpm-quote/gce-cos-85-no-nonce-sha1/ak.cert.der';
    const { checks, claims } = judge(vector(path), (await everyRoot).certificates);
    expect(verdictOf(checks)).toBe('affirming');
    expect(claims).toMatchObject({ role: 'AK', tpm: { vendor: 'GOOG', model: 'vTPM' } });
  });

  it('judgeEk() reads the TPM of an ST certificate and the machine of a Google one', async () => {
    const { certificates } = await everyRoot;
    expect(judge(vector('ek/st_ecdsa_ek.der'), certificates).claims).toMatchObject({
      tpm: { manufacturer: 'id:53544D20', vendor: 'STM', model: 'ST33HTPHAHB4' },
      tpm_specification: { family: '2.0', level: 0, revision: 116 },
    });
    expect(judge(vector('ek/gce_pca_tpm_rsa_sign_cert.pem'), certificates).claims).toMatchObject({
      role: 'AK',
      gce_instance: {
        zone: 'us-central1-a',
        instance_name: 'cs-debug-pca',
        instance_id: '218557372616137117', // over 2^53
      },
    });
  });

  it('departuresFromDer() finds the unsorted SETs of Nuvoton’s roots and nothing in ST’s', () => {
    const departures = (name: string): string[] =>
      departuresFromDer(new X509Certificate(vector(`ek/roots/keylime/${name}.pem`)).raw);
    expect(departures('NUVO_1110')).toEqual(['an unsorted SET']);
    expect(departures('STM_ECC_01I')).toEqual([]);
  });
});
