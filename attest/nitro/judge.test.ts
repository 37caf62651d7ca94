// Nitro documents: the real ones as their origin describes them, and made ones for every refusal.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, hex } from '#agent/base/bytes.ts';
import type { Check } from '#attest/check.ts';
import { verdictOf } from '#attest/check.ts';
import { makeCertificate, makeKeys } from '#attest/testdata/certificate.ts';
import { writeCbor, type Writable } from '#attest/testdata/cborWrite.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import {
  LEAF_LIFE_MS,
  MADE_MS,
  nitroDocument,
  nitroInstance,
  nitroLeaf,
  nitroRoot,
  nitroRootDigest,
  nitroZone,
} from '#attest/testdata/nitro.ts';
import { noVectors, truths, vector } from '#attest/testdata/vectors.ts';
import { trustVector } from '#attest/trustVector.ts';
import { AWS_NITRO_ROOT } from './chain.ts';
import { judgeNitro, type NitroAppraisal, type NitroTerms } from './judge.ts';
import { readNitroPolicy, type NitroPolicy } from './policy.ts';

const terms: NitroTerms = {
  atMs: MADE_MS,
  root: nitroRootDigest,
  policy: undefined,
  nonce: undefined,
};

const judge = (change: Record<string, Writable | undefined>, more: Partial<NitroTerms> = {}) =>
  judgeNitro(nitroDocument(change), { ...terms, ...more });

const failures = ({ checks }: NitroAppraisal): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);
const named = ({ checks }: NitroAppraisal, name: string): Check | undefined =>
  checks.find((check) => check.name === name);
const policy = (fields: object): NitroPolicy =>
  readNitroPolicy(Buffer.from(JSON.stringify({ v: 1, ...fields })));

interface NitroTruth {
  readonly module_id: string;
  readonly timestamp_ms: number;
  readonly pcrs: Readonly<Record<string, string>>;
  readonly user_data: string;
  readonly nonce: string;
  readonly debug_mode: boolean;
}

describe.skipIf(noVectors)(`judgeNitro() of shared vectors ${noVectors ?? ''}`, () => {
  const real = truths<NitroTruth>('nitro', '.cbor');
  const aws = { ...terms, root: fromHex(AWS_NITRO_ROOT) };

  it.each(real)('judges %s as its origin does', (path, truth, negative) => {
    const appraisal = judgeNitro(vector(path), { ...aws, atMs: truth.timestamp_ms });
    const { module_id, timestamp_ms, pcrs, user_data, nonce } = truth;
    expect(appraisal.claims).toMatchObject({
      module_id,
      timestamp: timestamp_ms,
      user_data,
      nonce,
    });
    expect(appraisal.claims['pcrs']).toMatchObject(pcrs);
    expect(failures(appraisal)).toEqual(truth.debug_mode ? ['debug mode'] : []);
    expect(verdictOf(appraisal.checks)).toBe(negative ? 'contraindicated' : 'warning');
  });

  it.each(real)('says of %s that it has expired, and gives out nothing of it', (path) => {
    const appraisal = judgeNitro(vector(path), { ...aws, atMs: Date.UTC(2026, 0, 1) });
    expect(failures(appraisal)).toContain('dates');
    expect(named(appraisal, 'dates')?.text).toContain('--at 2024-09-07T14:3');
    expect(appraisal.claims).toEqual({});
  });

  it.each(real)('refuses %s with a bit flipped, wherever that is', (path, { timestamp_ms }) => {
    const sample = vector(path);
    for (let index = 0; index < sample.length; index += 97) {
      const judged = outcome(
        (bytes) => judgeNitro(bytes, { ...aws, atMs: timestamp_ms }),
        flipped(sample, index, index % 8),
      );
      if (judged === 'malformed') continue;
      expect(verdictOf(judged.checks), `byte ${index}`).toBe('contraindicated');
      expect(judged.claims).toEqual({});
    }
  });
});

describe('judgeNitro()', () => {
  it('affirms a document of accepted registers that answers the challenge', () => {
    const asked = { policy: policy({ pcrs: { 0: ['01'.repeat(48)] } }) };
    const fresh = judge({}, { ...asked, nonce: Buffer.from('nonce') });
    expect(verdictOf(fresh.checks)).toBe('affirming');
    expect(trustVector(fresh.checks).executables).toBe(3); // of the image, not of what it loads
    expect(verdictOf(judge({}, asked).checks)).toBe('warning');
    expect(verdictOf(judge({}, { nonce: Buffer.from('nonce') }).checks)).toBe('warning');
  });

  it('warns of what it could not check, and gives out what is signed', () => {
    const appraisal = judge({});
    expect(verdictOf(appraisal.checks)).toBe('warning');
    expect(trustVector(appraisal.checks)).toEqual({
      'instance-identity': 2,
      hardware: 2,
      executables: 0,
    });
    expect(appraisal.claims).toMatchObject({
      module_id: 'i-0.enc0',
      digest: 'SHA384',
      timestamp: MADE_MS,
      time: '2026-01-31T12:00:00.000Z',
      pcrs: { 0: '01'.repeat(48) },
      certificate: { subject: 'CN=i-0.enc0' },
      public_key: null,
      user_data: hex(Buffer.from('user')),
      nonce: hex(Buffer.from('nonce')),
    });
  });

  it('gives no claims of what another key signed (ATTESTATION trap 6)', () => {
    const other = makeCertificate({ subject: nitroLeaf.subject, keys: makeKeys('P-384') });
    const appraisal = judgeNitro(nitroDocument({}, other), terms);
    expect(failures(appraisal)).toEqual(['document signature']);
    expect(appraisal.claims).toEqual({});
  });

  it('takes ES384 alone', () => {
    const appraisal = judgeNitro(nitroDocument({}, nitroLeaf, new Map([[1, -7]])), terms);
    expect(named(appraisal, 'document signature')?.text).toContain('COSE algorithm -7');
  });

  it('refuses a whole chain under a root that is not pinned', () => {
    const appraisal = judge({}, { root: fromHex(AWS_NITRO_ROOT) });
    expect(failures(appraisal)).toEqual(['certificate root']);
    expect(appraisal.claims).toEqual({});
  });

  const short = makeCertificate({
    subject: { CN: 'zone' },
    keys: nitroZone.keys,
    issuer: nitroRoot,
    extensions: [{ id: '2.5.29.19', value: fromHex('30060101ff020100'), critical: true }],
  });
  const stranger = makeCertificate({ subject: { CN: 'zone' }, keys: makeKeys('P-384'), ca: true });

  it.each<[string, Writable, RegExp]>([
    ['without its root', [nitroZone.der, nitroInstance.der], /not issued by "CN=zone"/],
    ['in another order', [nitroInstance.der, nitroZone.der, nitroRoot.der], /not issued/],
    ['with a link left out', [nitroRoot.der, nitroInstance.der], /not issued by "CN=root"/],
    ['with the leaf as an issuer', [nitroRoot.der, nitroZone.der, nitroLeaf.der], /is no CA/],
    [
      'past a path length',
      [nitroRoot.der, short.der, nitroInstance.der],
      /may not have 1 CAs below/,
    ],
    ['with an issuer of that name', [nitroRoot.der, stranger.der, nitroInstance.der], /not issued/],
  ])('refuses a chain %s', (_what, cabundle, why) => {
    const check = named(judge({ cabundle }), 'certificate chain');
    expect(check?.result).toBe('fail');
    expect(check?.text).toMatch(why);
  });

  it.each([
    ['before it was made', MADE_MS - 400_000, /not valid yet/],
    ['after the leaf expired', MADE_MS + LEAF_LIFE_MS, /expired 2026-01-31T14:59:59/],
  ])('refuses a document %s', (_when, atMs, why) => {
    const appraisal = judge({}, { atMs });
    expect(named(appraisal, 'dates')?.text).toMatch(why);
    expect(failures(appraisal)).toEqual(['dates']);
    expect(appraisal.claims).toEqual({});
  });

  it('refuses a time of the document outside of its certificates', () => {
    expect(failures(judge({ timestamp: MADE_MS + LEAF_LIFE_MS }))).toEqual(['dates']);
  });

  it('judges the document of a NitroTPM by its own registers, and finds no debug mode in it', () => {
    const registers = new Map([
      [0, Buffer.alloc(48)],
      [4, Buffer.alloc(48, 4)],
    ]);
    const change = { pcrs: undefined, nitrotpm_pcrs: registers };
    const asked = { policy: policy({ nitrotpm_pcrs: { 4: ['04'.repeat(48)] } }) };
    const appraisal = judge(change, { ...asked, nonce: Buffer.from('nonce') });
    expect(verdictOf(appraisal.checks)).toBe('affirming');
    expect(appraisal.claims['nitrotpm_pcrs']).toEqual({ 0: '00'.repeat(48), 4: '04'.repeat(48) });
    expect(named(appraisal, 'debug mode')).toBeUndefined();
    expect(named(appraisal, 'PCR 4')?.text).toBe(
      'PCR 4 (boot loader): 0404040404040404.. is accepted.',
    );
  });

  it('takes no register of a NitroTPM for one of an enclave, whatever it holds, nor the reverse', () => {
    const values = { 8: ['08'.repeat(48)] };
    const registers = new Map([0, 1, 2, 8].map((pcr) => [pcr, Buffer.alloc(48, pcr)]));
    const instance = { pcrs: undefined, nitrotpm_pcrs: registers };
    const results = [instance, { pcrs: registers }].flatMap((change) =>
      [{ pcrs: values }, { nitrotpm_pcrs: values }, { pcrs: values, nitrotpm_pcrs: values }].map(
        (fields) => failures(judge(change, { policy: policy(fields) })),
      ),
    );
    expect(results).toEqual([['measurements'], [], [], [], ['measurements'], []]);
    const refused = judge(instance, { policy: policy({ pcrs: values }) });
    expect(verdictOf(refused.checks)).toBe('contraindicated');
    expect(named(refused, 'measurements')?.text).toContain('document of a NitroTPM');
  });

  const zeroes = new Map([0, 1, 2].map((pcr) => [pcr, Buffer.alloc(48)]));

  it('refuses a debug enclave unless the policy allows it, and then warns', () => {
    expect(verdictOf(judge({ pcrs: zeroes }).checks)).toBe('contraindicated');
    const allowed = judge({ pcrs: zeroes }, { policy: policy({ allow_debug: true }) });
    expect(failures(allowed)).toEqual(['debug mode']);
    expect(verdictOf(allowed.checks)).toBe('warning');
  });

  it('knows nothing of an enclave whose image registers are left out', () => {
    const pcrs = new Map([[0, Buffer.alloc(48, 1)]]);
    expect(verdictOf(judge({ pcrs }).checks)).toBe('none');
  });

  it('holds registers against the policy, each by itself', () => {
    const asked = policy({
      pcrs: { 0: ['ff'.repeat(48), '01'.repeat(48)], 1: ['01'.repeat(48)], 8: ['00'.repeat(48)] },
    });
    const appraisal = judge({}, { policy: asked });
    expect(failures(appraisal)).toEqual(['PCR 1', 'PCR 8']);
    expect(named(appraisal, 'PCR 1')?.text).toContain(
      '0202020202020202.. is not among the 1 accepted',
    );
    expect(named(appraisal, 'PCR 8')?.text).toContain('not in the document');
    expect(trustVector(appraisal.checks).executables).toBe(96);
  });

  it('affirms no executables by a register of where they run', () => {
    const enclave = new Map([0, 1, 2, 4].map((pcr) => [pcr, Buffer.alloc(48, 4)]));
    const asked = policy({ pcrs: { 4: ['04'.repeat(48)] } });
    const parent = trustVector(judge({ pcrs: enclave }, { policy: asked }).checks);
    expect(parent).not.toHaveProperty('executables');
    const instance = (pcr: number) => {
      const instances = policy({ nitrotpm_pcrs: { [pcr]: ['04'.repeat(48)] } });
      const document = { pcrs: undefined, nitrotpm_pcrs: enclave };
      return trustVector(judge(document, { policy: instances }).checks);
    };
    expect(instance(4).executables).toBe(3); // the boot loader
    expect(instance(1)).not.toHaveProperty('executables'); // firmware settings
  });

  it('holds the nonce against the one that was sent', () => {
    expect(named(judge({}, { nonce: Buffer.from('nonce') }), 'nonce')?.result).toBe('pass');
    expect(failures(judge({}, { nonce: Buffer.from('other') }))).toEqual(['nonce']);
    expect(failures(judge({ nonce: null }, { nonce: Buffer.from('nonce') }))).toEqual(['nonce']);
  });

  it.each<[string, Writable | undefined]>([
    ['module_id', ''],
    ['module_id', undefined],
    ['digest', 'SHA256'],
    ['timestamp', 0],
    ['timestamp', Number.MAX_SAFE_INTEGER],
    ['pcrs', new Map()],
    ['pcrs', new Map([[32, Buffer.alloc(48)]])],
    ['pcrs', new Map([[-1, Buffer.alloc(48)]])],
    ['pcrs', new Map([[0, Buffer.alloc(47)]])],
    ['pcrs', undefined],
    ['nitrotpm_pcrs', new Map([[0, Buffer.alloc(48)]])],
    ['certificate', Buffer.alloc(0)],
    ['certificate', nitroLeaf.pem],
    ['certificate', Buffer.from(nitroLeaf.pem)],
    ['certificate', Buffer.alloc(40, 0x30)],
    ['cabundle', []],
    ['cabundle', [nitroRoot.der, Buffer.alloc(1025)]],
    ['cabundle', Array.from({ length: 17 }, () => nitroRoot.der)],
    ['public_key', Buffer.alloc(0)],
    ['user_data', Buffer.alloc(1025)],
    ['nonce', 'text'],
  ])('calls a document malformed whose %s breaks the syntax (%#)', (field, value) => {
    const bytes = nitroDocument({ [field]: value });
    expect(outcome((given) => judgeNitro(given, terms), bytes)).toBe('malformed');
  });

  it('takes user data of 1,024 bytes, as enclaves send it', () => {
    expect(failures(judge({ user_data: Buffer.alloc(1024) }))).toEqual([]);
  });

  it('judges hostile bytes or calls them malformed, and does nothing else', () => {
    fc.assert(
      fc.property(hostile(nitroDocument()), (bytes) => {
        outcome((given) => judgeNitro(given, terms), bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses a payload that is no map', () => {
    const bytes = writeCbor([Buffer.alloc(0), new Map(), writeCbor([1]), Buffer.alloc(96)]);
    expect(outcome((given) => judgeNitro(given, terms), bytes)).toBe('malformed');
  });
});

describe('readNitroPolicy()', () => {
  it.each([
    ['no JSON', '{'],
    ['no version', '{}'],
    ['a field it does not know', '{"v":1,"pcr":{}}'],
    ['a register beyond 31', `{"v":1,"pcrs":{"32":["${'00'.repeat(48)}"]}}`],
    ['a value of no digest', '{"v":1,"pcrs":{"0":["00"]}}'],
    ['a register that accepts nothing', '{"v":1,"pcrs":{"0":[]}}'],
  ])('refuses %s', (_what, text) => {
    expect(() => readNitroPolicy(Buffer.from(text))).toThrow('Cannot read Nitro policy');
  });
});
