import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { publicKeyFromJwk, verifyJwa } from '#agent/base/asymmetric.ts';
import { b64url, fromHex } from '#agent/base/bytes.ts';
import { writeCbor, type Writable } from '#attest/testdata/cborWrite.ts';
import { hostile, outcome } from '#attest/testdata/hostile.ts';
import { parseSign1 } from './cose.ts';

const HEADER = writeCbor(new Map([[1, -7]]));
const PAYLOAD = Buffer.from('This is the content.');
const SIGNATURE = Buffer.alloc(64, 7);
const good: readonly Writable[] = [HEADER, new Map(), PAYLOAD, SIGNATURE];
const parse = (message: Writable) => parseSign1(writeCbor(message), 'test message');

describe('parseSign1()', () => {
  it('builds what the signature of RFC 9052 C.2.1 is over', () => {
    const signature = fromHex(
      '8eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36',
    );
    const unprotected = new Map([[4, Buffer.from('11')]]);
    const parsed = parse({ tag: 18, of: [HEADER, unprotected, PAYLOAD, signature] });
    expect(parsed).toMatchObject({ alg: -7, payload: PAYLOAD, signature });
    const key = publicKeyFromJwk({
      kty: 'EC',
      crv: 'P-256',
      x: b64url(fromHex('bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff')),
      y: b64url(fromHex('20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e')),
    });
    expect(verifyJwa(key, 'ES256', parsed.toBeSigned, signature)).toBe(true);
  });

  it('takes a message without its tag, and the same bytes are signed', () => {
    expect(parse(good)).toEqual(parse({ tag: 18, of: good }));
  });

  it.each([24, 256, 65_536])('writes the length of a payload of %i bytes', (lenBytes) => {
    const payload = Buffer.alloc(lenBytes, 1);
    const { toBeSigned } = parse([HEADER, new Map(), payload, SIGNATURE]);
    expect(toBeSigned).toEqual(writeCbor(['Signature1', HEADER, Buffer.alloc(0), payload]));
  });

  it('names no algorithm where the protected header is empty', () => {
    expect(parse([Buffer.alloc(0), new Map([[1, -35]]), PAYLOAD, SIGNATURE]).alg).toBeUndefined();
  });

  it.each<[string, Writable]>([
    ['no array', PAYLOAD],
    ['another tag', { tag: 98, of: good }],
    ['three parts', good.slice(0, 3)],
    ['a detached payload', [HEADER, new Map(), null, SIGNATURE]],
    ['an unprotected header that is no map', [HEADER, [], PAYLOAD, SIGNATURE]],
    ['a protected header that is no map', [writeCbor([1]), new Map(), PAYLOAD, SIGNATURE]],
    [
      'a header it must understand',
      [writeCbor(new Map([[2, [99]]])), new Map(), PAYLOAD, SIGNATURE],
    ],
  ])('refuses %s', (_what, message) => {
    expect(outcome((bytes) => parseSign1(bytes, 'x'), writeCbor(message))).toBe('malformed');
  });

  it('reads hostile bytes or refuses them, and does nothing else', () => {
    fc.assert(
      fc.property(hostile(writeCbor(good)), (bytes) => {
        outcome((given) => parseSign1(given, 'x'), bytes);
      }),
    );
  });
});
