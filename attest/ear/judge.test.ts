// Attestation results: what Trustee publishes, what the draft asks, and tokens of our own, every claim of
// which is changed once.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateSigningKey } from '#agent/base/asymmetric.ts';
import { b64url, utf8 } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import { about, fail, pass, verdictOf, type Verdict } from '#attest/check.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { hasVector, noVectors, vector } from '#attest/testdata/vectors.ts';
import { trustVector } from '#attest/trustVector.ts';
import { judgeEar, type EarAppraisal } from './judge.ts';
import { claimsSetOf, parseJws, type JsonObject } from './jws.ts';
import { keysOfSigner } from '#attest/verificationKey.ts';
import { earClaims, signEar } from './make.ts';

const signer = generateSigningKey();
const terms = { keys: keysOfSigner(signer.public), atMs: Date.UTC(2026, 0, 31, 12) };
const ISSUED_S = terms.atMs / 1000 - 60;

const submod = {
  'ear.status': 'affirming',
  'ear.trustworthiness-vector': { 'instance-identity': 2, executables: 3, 'file-system': 0 },
} as const;
const good = {
  eat_profile: 'tag:github.com,2023:veraison/ear',
  iat: ISSUED_S,
  exp: ISSUED_S + 600,
  'ear.verifier-id': { developer: 'Example', build: 'v1' },
  submods: { node: submod },
} as const;

const token = (claims: Json): Buffer => Buffer.from(signEar(claims, signer));
const judge = (change: JsonObject): EarAppraisal => judgeEar(token({ ...good, ...change }), terms);
const judgeNode = (change: JsonObject): EarAppraisal =>
  judge({ submods: { node: { ...submod, ...change } } });
const verdict = ({ checks }: EarAppraisal): Verdict => verdictOf(checks);
const failures = ({ checks }: EarAppraisal): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ name }) => name);

describe('judgeEar()', () => {
  it('affirms a good result and gives out its claims as signed', () => {
    const appraisal = judge({});
    expect(failures(appraisal)).toEqual([]);
    expect(verdict(appraisal)).toBe('affirming');
    expect(appraisal.claims).toEqual(good);
    expect(trustVector(appraisal.checks)).toEqual({
      'instance-identity': 2,
      executables: 3,
      'file-system': 0,
    });
  });

  it('reads the labels of draft-ietf-rats-ear 03 and the tiers as integers', () => {
    const appraisal = judgeEar(
      token({
        eat_profile: 'tag:ietf.org,2026:rats/ear#03',
        iat: ISSUED_S,
        ear_status: 96,
        ear_verifier_id: { developer: 'Example', build: 'v1' },
        submods: { PSA: { ear_status: 96, ear_trustworthiness_vector: { executables: 96 } } },
      }),
      terms,
    );
    expect(failures(appraisal)).toEqual(['status', 'PSA status', 'PSA executables']);
    expect(verdict(appraisal)).toBe('contraindicated');
  });

  it.each<[Verdict, number]>([
    ['affirming', 2],
    ['warning', 32],
    ['none', 0],
    ['contraindicated', 96],
  ])('takes the worst status of the attesters: %s', (status, value) => {
    const other = { 'ear.status': status, 'ear.trustworthiness-vector': { hardware: value } };
    expect(verdict(judge({ submods: { node: submod, other } }))).toBe(status);
  });

  it('refuses a status that is better than its vector, and a whole better than its parts', () => {
    const vouched = judgeNode({ 'ear.trustworthiness-vector': { hardware: 97 } });
    expect(failures(vouched)).toEqual(['node status', 'node hardware']);
    const warned = judgeNode({ 'ear.trustworthiness-vector': { hardware: 33 } });
    expect(verdict(warned)).toBe('contraindicated');
    const parts = { node: { 'ear.status': 'warning' } };
    expect(failures(judge({ 'ear.status': 'affirming', submods: parts }))).toContain('status');
    expect(verdict(judge({ 'ear.status': 'warning', submods: parts }))).toBe('warning');
  });

  it('believes a status that is worse than its vector', () => {
    expect(verdict(judgeNode({ 'ear.status': 'contraindicated' }))).toBe('contraindicated');
  });

  it.each([
    ['issued in the future', { iat: ISSUED_S + 200 }, 'contraindicated'],
    ['not valid yet', { nbf: ISSUED_S + 200 }, 'contraindicated'],
    ['just expired', { exp: terms.atMs / 1000 }, 'contraindicated'],
    ['about to expire', { exp: terms.atMs / 1000 + 1 }, 'affirming'],
    ['about an archive', { iat: ISSUED_S + 200, nbf: ISSUED_S }, 'affirming'],
    ['without an end', { exp: undefined }, 'affirming'],
  ])('judges a result %s', (_what, change, expected) => {
    expect(verdict(judge(change))).toBe(expected);
  });

  it('warns of a profile that it does not know', () => {
    expect(verdict(judge({ eat_profile: 'tag:example.org,2030:other' }))).toBe('warning');
  });

  it.each<[string, JsonObject]>([
    ['without a profile', { eat_profile: undefined }],
    ['without a time', { iat: undefined }],
    ['with a fraction of a second', { exp: ISSUED_S + 0.5 }],
    ['without a verifier', { 'ear.verifier-id': undefined }],
    ['about nobody', { submods: {} }],
    ['without attesters', { submods: undefined }],
    [
      'with an attester that a parser would leave out',
      {
        submods: JSON.parse(
          '{"__proto__":{"ear.status":"contraindicated"},"a":{"ear.status":"affirming"}}',
        ) as Json,
      },
    ],
    [
      'with a status in both spellings',
      { submods: { node: { ...submod, ear_status: 'contraindicated' } } },
    ],
    [
      'about more than 256',
      { submods: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [String(i), submod])) },
    ],
    [
      'with an attester within another',
      { submods: { node: { ...submod, submods: { vm: { 'ear.status': 'contraindicated' } } } } },
    ],
    ['with an attester without status', { submods: { node: {} } }],
    ['with a status of no tier', { submods: { node: { 'ear.status': 'good' } } }],
    [
      'with a value out of range',
      { submods: { node: { ...submod, 'ear.trustworthiness-vector': { hardware: 128 } } } },
    ],
    [
      'with a claim that AR4SI has not',
      { submods: { node: { ...submod, 'ear.trustworthiness-vector': { luck: 2 } } } },
    ],
  ])('says that a signed token %s is no result', (_what, change) => {
    expect(failures(judge(change))).toEqual(['EAR claims']);
  });

  it('takes no text for attesters, whose letters it would go through one by one', () => {
    const { checks } = judge({ submods: 'a'.repeat(1000) });
    expect(checks.find(({ name }) => name === 'EAR claims')?.text).toContain('submods: Invalid');
  });

  const eat = { iat: ISSUED_S, eat_nonce: 'AAAAAAAAAAA', ueid: 'AQAA', hwmodel: 'AA' } as const;

  it('reads an EAT in which nobody appraised anything: its claims, and no verdict', () => {
    const appraisal = judgeEar(token({ ...eat, dbgstat: 'disabled-since-boot' }), terms);
    expect(verdict(appraisal)).toBe('none');
    expect(failures(appraisal)).toEqual([]);
    expect(appraisal.claims).toMatchObject(eat);
    const nested = { ...eat, submods: { nested: { ueid: 'AQAA' } } };
    expect(verdict(judgeEar(token(nested), terms))).toBe('none');
  });

  it.each<[string, JsonObject, string]>([
    ['whose debug facilities are on', { dbgstat: 'enabled' }, 'debug status'],
    ['whose debug facilities are on, as an integer', { dbgstat: 0 }, 'debug status'],
    ['that has expired', { exp: ISSUED_S }, 'dates'],
    ['with a debug status of no name', { dbgstat: 'maybe' }, 'EAT claims'],
    ['with a fraction of a second', { iat: 0.5 }, 'EAT claims'],
  ])('refuses an EAT %s', (_what, change, check) => {
    const appraisal = judgeEar(token({ ...eat, ...change }), terms);
    expect(failures(appraisal)).toEqual([check]);
    expect(verdict(appraisal)).toBe('contraindicated');
  });

  it('refuses a signed token that has no claim of an EAT', () => {
    expect(failures(judgeEar(token({ sub: 'somebody' }), terms))).toEqual(['EAR claims']);
  });

  it('gives no claims of a token that another key signed (ATTESTATION trap 6)', () => {
    const other = signEar(good, generateSigningKey());
    const appraisal = judgeEar(Buffer.from(other), terms);
    expect(failures(appraisal)).toEqual(['token signature']);
    expect(appraisal.claims).toEqual({});
    expect(trustVector(appraisal.checks)).toEqual({});
  });

  it('accepts no change of any byte', () => {
    const sample = token(good);
    for (let index = 0; index < sample.length; index += 1) {
      const judged = outcome((bytes) => judgeEar(bytes, terms), flipped(sample, index, index % 7));
      if (judged !== 'malformed') expect(judged.claims, `byte ${index}`).toEqual({});
    }
  });

  it.each([
    ['JSON text', JSON.stringify(token(good).toString())],
    [
      'the answer of Veraison',
      JSON.stringify({ status: 'complete', result: token(good).toString() }),
    ],
    ['the answer of Trustee', JSON.stringify({ token: token(good).toString() })],
    ['with a line feed', `${token(good).toString()}\n`],
  ])('finds the token in %s', (_what, text) => {
    expect(verdict(judgeEar(utf8(text), terms))).toBe('affirming');
  });

  it('takes neither of two tokens, nor either of two members of one name', () => {
    const [text, worse] = [good, { ...good, submods: {} }].map((each) => token(each).toString());
    const twice = JSON.stringify(good).replace(/}$/, ',"submods":{"z":{"ear.status":"none"}}}');
    for (const file of [JSON.stringify({ result: text, token: worse }), twice]) {
      expect(outcome((bytes) => judgeEar(bytes, terms), utf8(file))).toBe('malformed');
    }
    const parts = signEar(good, signer).split('.');
    parts[1] = b64url(utf8(twice));
    expect(() => judgeEar(utf8(parts.join('.')), terms)).toThrow('a member stands twice');
  });

  it('lets a claims set that nobody signed speak against an attester, never for one', () => {
    const unsigned = judgeEar(utf8(JSON.stringify(good)), terms);
    expect(verdict(unsigned)).toBe('none');
    expect(unsigned.claims).toEqual({});
    expect(trustVector(unsigned.checks)).toEqual({});
    expect(unsigned.checks.every(({ result }) => result === 'not checked')).toBe(true);
    const bad = { ...good, submods: { node: { 'ear.status': 'contraindicated' } } };
    expect(verdict(judgeEar(utf8(JSON.stringify(bad)), terms))).toBe('contraindicated');
  });

  it('quotes names of attesters without their control characters', () => {
    const names = judge({ submods: { 'a\u001b[31m': submod } }).checks.map(({ name }) => name);
    expect(names).toContain('a?[31m status');
  });

  it.each([
    ['nothing', ''],
    ['two parts', 'e30.e30'],
    ['four parts', 'e30.e30.e30.e30'],
    ['padding', 'e30=.e30.e30'],
    ['a header that is no JSON', `${b64url(utf8('{'))}.e30.`],
    ['a header that is a list', `${b64url(utf8('[]'))}.e30.`],
    ['a payload that is no object', `e30.${b64url(utf8('1'))}.`],
    ['JSON that is no object', '"text"'],
    ['JSON cut short', '{"submods":'],
    ['JSON too deep', `{"a":${'['.repeat(99)}`],
  ])('calls %s malformed', (_what, text) => {
    expect(outcome((bytes) => judgeEar(bytes, terms), utf8(text))).toBe('malformed');
  });

  it('judges hostile bytes or calls them malformed, and does nothing else', () => {
    const tokens = hostile(token(good));
    const sets = hostile(utf8(JSON.stringify(good)));
    fc.assert(
      fc.property(fc.oneof(tokens, sets), (bytes) => {
        outcome((given) => judgeEar(given, terms), bytes);
      }),
      { numRuns: 500 },
    );
  });
});

const EXAMPLE = 'rats/ear_example_token.json';
const noExample = noVectors ?? (hasVector(EXAMPLE) ? undefined : `no ${EXAMPLE}`);

describe.skipIf(noExample)(`judgeEar() of shared vectors ${noExample ?? ''}`, () => {
  it('reads the example of Trustee, contraindicated as it states, and vouches for none of it', () => {
    const appraisal = judgeEar(vector(EXAMPLE), { ...terms, atMs: 1_760_426_135_000 });
    expect(appraisal.claims).toEqual({});
    expect(verdict(appraisal)).toBe('contraindicated');
    const limiting = appraisal.checks.filter(({ ceiling }) => ceiling === 'contraindicated');
    expect(limiting.map(({ name }) => name)).toEqual(['cpu0 status', 'cpu0 hardware']);
  });

  it('judges the same signed as its verifier says', () => {
    const claims = JSON.parse(vector(EXAMPLE).toString()) as Json;
    const appraisal = judgeEar(token(claims), { ...terms, atMs: 1_760_426_135_000 });
    expect(appraisal.claims).toEqual(claims);
    expect(trustVector(appraisal.checks)).toMatchObject({
      configuration: 32,
      executables: 32,
      hardware: 96,
      'instance-identity': 0,
    });
  });
});

describe('earClaims() and signEar()', () => {
  const checks = [
    about('hardware', pass('EK chain', 'known')),
    about('executables', fail('PCR 4', 'other', 'warning')),
  ];
  const subject = {
    name: 'node-a',
    checks,
    policyId: 'sha256:00',
    counts: { fromMs: terms.atMs, untilMs: terms.atMs + 600_000 },
    details: { node: 'node-a' },
  };
  const verifier = { developer: 'tidelock', build: 'tidelock 1' };

  it('make what judgeEar() reads back with the same verdict and vector', () => {
    const appraisal = judgeEar(token(earClaims(subject, verifier, terms.atMs)), terms);
    expect(verdict(appraisal)).toBe('warning');
    expect(trustVector(appraisal.checks)).toEqual(trustVector(checks));
    expect(appraisal.claims).toMatchObject({
      eat_profile: 'tag:github.com,2023:veraison/ear',
      iat: terms.atMs / 1000,
      nbf: terms.atMs / 1000,
      exp: terms.atMs / 1000 + 600,
      'ear.verifier-id': verifier,
      submods: { 'node-a': { 'ear.status': 'warning', 'ear.appraisal-policy-id': 'sha256:00' } },
    });
  });

  it('have an archive speak of the time that it was judged as of, and of no later one', () => {
    const made = { ...subject, checks: checks.slice(0, 1) };
    const archived = token(earClaims(made, verifier, terms.atMs + 86_400_000));
    const as = (atMs: number) => judgeEar(archived, { ...terms, atMs });
    expect(verdict(as(terms.atMs))).toBe('affirming');
    expect(verdict(as(terms.atMs - 120_000))).toBe('contraindicated');
    for (const laterMs of [600_000, 86_400_000]) {
      const later = as(terms.atMs + laterMs);
      expect(failures(later)).toEqual(['dates']);
      expect(later.checks.find(({ name }) => name === 'dates')?.text).toContain(
        `--at ${new Date(terms.atMs).toISOString()}`,
      );
    }
  });

  it('let a result be read as of its own time, though its evidence no longer counted then', () => {
    const late = { fromMs: terms.atMs, untilMs: terms.atMs - 1 };
    const claims = earClaims({ ...subject, counts: late }, verifier, terms.atMs);
    expect(verdict(judgeEar(token(claims), terms))).toBe('warning');
    expect(verdict(judgeEar(token(claims), { ...terms, atMs: terms.atMs + 1000 }))).toBe(
      'contraindicated',
    );
  });

  it('never say more of an attester than its vector does, whatever the checks were', () => {
    const ceilings = fc.constantFrom<Verdict>('affirming', 'warning', 'none', 'contraindicated');
    const claims = fc.constantFrom('hardware' as const, 'executables' as const);
    fc.assert(
      fc.property(fc.array(fc.tuple(claims, ceilings), { minLength: 1 }), (found) => {
        const made = found.map(([claim, tier]) => about(claim, fail('check', '', tier)));
        const set = earClaims({ ...subject, checks: made }, verifier, terms.atMs);
        const appraisal = judgeEar(token(set), terms);
        expect(verdict(appraisal)).toBe(verdictOf(made));
        expect(failures(appraisal)).not.toContain('EAR claims');
      }),
      { numRuns: 40 },
    );
  });

  it('write a compact token of EdDSA that names the key', () => {
    const jws = parseJws(signEar(good, signer));
    expect(jws.header).toEqual({ alg: 'EdDSA', kid: signer.keyId, typ: 'JWT' });
    expect(claimsSetOf(jws)).toEqual(good);
  });
});
