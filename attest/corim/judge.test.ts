// Manifests: the published ones, a signed one, every type that a value may have, and hostile bytes.
import { sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { verdictOf } from '#attest/check.ts';
import { parseVerificationKeys } from '#attest/verificationKey.ts';
import { makeKeys } from '#attest/testdata/certificate.ts';
import { writeCbor, type Writable } from '#attest/testdata/cborWrite.ts';
import { flipped, hostile, outcome } from '#attest/testdata/hostile.ts';
import { hasVector, noVectors, vector } from '#attest/testdata/vectors.ts';
import { judgeCorim } from './judge.ts';

const tag = (number: number, of: Writable): Writable => ({ tag: number, of });
const map = (members: Readonly<Record<number, Writable>>): Writable =>
  new Map(Object.entries(members).map(([label, value]) => [Number(label), value]));

const UUID = Buffer.from('3f06af63a93c11e4979700505690773f', 'hex');
const MEASURED = {
  1: tag(552, 7),
  2: [
    [1, Buffer.alloc(32, 1)],
    ['example-hash', Buffer.of(2)],
    [99, Buffer.of(3)],
  ],
  3: map({ 3: true }),
  4: tag(560, Buffer.of(0xff)),
} as const;
const measured = (value: Readonly<Record<number, Writable>>): Writable =>
  map({
    1: map({ 0: UUID, 1: 2 }),
    4: map({ 0: [[map({ 0: map({ 0: tag(37, UUID) }) }), [map({ 0: 4, 1: map(value) })]]] }),
  });
const comid = measured(MEASURED);
const corim = tag(
  501,
  map({ 0: 'vendor', 1: [tag(506, writeCbor(comid)), tag(505, Buffer.of(1))] }),
);

const judge = (message: Writable) => judgeCorim(writeCbor(message), []);
const valueOf = (value: Readonly<Record<number, Writable>>): unknown =>
  (
    judge(measured(value)).manifest['comid'] as {
      triples: { 'reference-values': [{ measurements: [{ value: unknown }] }] };
    }
  ).triples['reference-values'][0].measurements[0].value;

const FILES = ['rats/comid-1.cbor', 'rats/unsigned-good-corim.cbor'] as const;
const noFiles = noVectors ?? (FILES.every(hasVector) ? undefined : `no ${FILES.join()}`);

describe.skipIf(noFiles)(`judgeCorim() of shared vectors ${noFiles ?? ''}`, () => {
  it('reads the CoMID of Veraison', () => {
    const { checks, claims, manifest } = judgeCorim(vector(FILES[0]), []);
    expect(verdictOf(checks)).toBe('none');
    expect(claims).toEqual({});
    expect(manifest).toMatchObject({
      comid: {
        'tag-identity': { id: '3f06af63-a93c-11e4-9797-00505690773f' },
        entities: [{ name: 'ACME Inc.', 'reg-id': 'https://acme.example', role: ['tag-creator'] }],
        triples: {
          'reference-values': [
            {
              environment: { class: { vendor: 'ACME Inc.', model: 'ACME RoadRunner', layer: 1 } },
              measurements: [{ value: { digests: [{ alg: 'sha-256' }] } }],
            },
          ],
        },
      },
    });
  });

  it('reads the CoRIM of Veraison with the CoMID inside', () => {
    const { checks, manifest } = judgeCorim(vector(FILES[1]), []);
    expect(verdictOf(checks)).toBe('none');
    expect(manifest).toMatchObject({
      corim: {
        id: 'test corim id',
        tags: [
          {
            comid: {
              language: 'en-GB',
              entities: [{ role: ['tag-creator', 'creator', 'maintainer'] }],
              triples: { 'reference-values': [{ measurements: [{}, {}, {}] }] },
            },
          },
        ],
      },
    });
  });
});

describe('judgeCorim()', () => {
  it('names every member and shows its value', () => {
    expect(judge(corim).manifest).toEqual({
      corim: {
        id: 'vendor',
        tags: [
          {
            comid: {
              'tag-identity': { id: '3f06af63-a93c-11e4-9797-00505690773f', version: 2 },
              triples: {
                'reference-values': [
                  {
                    environment: { class: { id: '3f06af63-a93c-11e4-9797-00505690773f' } },
                    measurements: [
                      {
                        key: 4,
                        value: {
                          svn: { svn: 7 },
                          digests: [
                            { alg: 'sha-256', value: '01'.repeat(32) },
                            { alg: 'example-hash', value: '02' },
                            { alg: 99, value: '03' },
                          ],
                          flags: { 'is-debug': true },
                          'raw-value': 'ff',
                        },
                      },
                    ],
                  },
                ],
              },
            },
          },
          { coswid: '01' },
        ],
      },
    });
  });

  it.each<[string, Writable, unknown]>([
    ['a least security version', tag(553, 3), { 'min-svn': 3 }],
    ['an object identifier', tag(111, Buffer.from('2a8648', 'hex')), '1.2.840'],
    ['a time', tag(1, 1_700_000_000), '2023-11-14T22:13:20.000Z'],
    ['a time beyond all calendars', tag(1, 9e15), 9e15],
    ['an address', tag(32, 'https://acme.example'), 'https://acme.example'],
    ['a tag that is not known', tag(700, [1, Buffer.of(1)]), { tag: 700, value: [1, '01'] }],
    ['a CoMID where none belongs', tag(506, Buffer.of(0xff)), { tag: 506, value: 'ff' }],
    ['a map', new Map<number | string, Writable>([[1, null]]), { 1: null }],
  ])('shows %s', (_what, value, shown) => {
    expect(valueOf({ 1: value })).toEqual({ svn: shown });
  });

  it('shows what an extension says under its number', () => {
    expect(valueOf({ [-70_000]: 'more' })).toEqual({ 'extension -70000': 'more' });
  });

  const { privateKey, publicKey } = makeKeys('P-256');
  const keys = parseVerificationKeys(utf8(publicKey.export({ type: 'spki', format: 'pem' })));
  const header = writeCbor(map({ 1: -7 }));
  const payload = writeCbor(corim);
  const toBeSigned = writeCbor(['Signature1', header, Buffer.alloc(0), payload]);
  const signature = sign('sha256', toBeSigned, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const signed = writeCbor(tag(500, tag(502, tag(18, [header, new Map(), payload, signature]))));

  it('gives claims of what a known author signed, and of nothing else (ATTESTATION trap 6)', () => {
    const appraisal = judgeCorim(signed, keys);
    expect(verdictOf(appraisal.checks)).toBe('affirming');
    expect(appraisal.claims).toEqual(judge(corim).manifest);
    expect(verdictOf(judgeCorim(signed, []).checks)).toBe('none');
    const stranger = makeKeys('P-256').publicKey.export({ format: 'jwk' });
    const other = judgeCorim(signed, parseVerificationKeys(utf8(JSON.stringify(stranger))));
    expect(verdictOf(other.checks)).toBe('contraindicated');
    expect(other.claims).toEqual({});
  });

  it('accepts no change of any byte of a signed one', () => {
    for (let index = 0; index < signed.length; index += 1) {
      const judged = outcome((bytes) => judgeCorim(bytes, keys), flipped(signed, index, index % 8));
      if (judged !== 'malformed') expect(judged.claims, `byte ${index}`).toEqual({});
    }
  });

  it('refuses an algorithm that it does not know', () => {
    const unknown = writeCbor(
      tag(18, [writeCbor(map({ 1: -65_535 })), new Map(), payload, signature]),
    );
    expect(judgeCorim(unknown, keys).checks.at(-1)?.text).toContain('-65535 is not accepted');
  });

  it.each<[string, Writable]>([
    ['another tag', tag(999, comid)],
    ['no map', [1]],
    ['a CoMID without identity', map({ 4: map({}) })],
    ['a CoRIM without tags', tag(501, map({ 0: 'id' }))],
    ['a CoMID that is no byte string', tag(506, comid)],
    ['triples that are no map', map({ 1: map({ 0: 'id' }), 4: 1 })],
    ['a triple of one part', map({ 1: map({ 0: 'id' }), 4: map({ 0: [[map({})]] }) })],
    ['a digest that is text', measured({ 2: [[1, 'text']] })],
    ['digests that are no list', measured({ 2: 1 })],
  ])('calls %s malformed', (_what, message) => {
    expect(outcome((bytes) => judgeCorim(bytes, []), writeCbor(message))).toBe('malformed');
  });

  it('judges hostile bytes or calls them malformed, and does nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(hostile(writeCbor(corim)), hostile(signed)), (bytes) => {
        outcome((given) => judgeCorim(given, keys), bytes);
      }),
      { numRuns: 400 },
    );
  });
});
