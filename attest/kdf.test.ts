import * as fc from 'fast-check';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384 } from '@noble/hashes/sha2.js';
import { expect, it } from 'vitest';
import { concat, u32, utf8, type Bytes } from '#agent/base/bytes.ts';
import { hashByName } from '#attest/tpm/algorithms.ts';
import { kdfa, kdfe } from './kdf.ts';

const NOBLE = { sha256, sha384 } as const;
const bytes = fc.uint8Array({ maxLength: 80 });
const alg = fc.constantFrom('sha256' as const, 'sha384' as const);
const length = fc.integer({ min: 1, max: 200 });
const label = fc.constantFrom('IDENTITY', 'STORAGE', 'INTEGRITY');

/** SP 800-108 and SP 800-56A written out, block by block, over another implementation. */
function blocks(lenBytes: number, one: (counter: Bytes) => Bytes): Buffer {
  let out: Buffer = Buffer.alloc(0);
  for (let i = 1; out.length < lenBytes; i += 1) out = concat(out, one(u32(i)));
  return out.subarray(0, lenBytes);
}

it('kdfa() agrees with SP 800-108 over another HMAC', () => {
  fc.assert(
    fc.property(alg, bytes, label, bytes, bytes, length, (name, key, text, u, v, n) => {
      const tail = concat(utf8(text), Uint8Array.of(0), u, v, u32(n * 8));
      const expected = blocks(n, (i) => hmac(NOBLE[name], key, concat(i, tail)));
      expect(kdfa(hashByName(name), key, text, u, v, n)).toEqual(expected);
    }),
  );
});

it('kdfe() agrees with SP 800-56A over another hash', () => {
  fc.assert(
    fc.property(alg, bytes, label, bytes, bytes, length, (name, z, text, u, v, n) => {
      const tail = concat(z, utf8(text), Uint8Array.of(0), u, v);
      const expected = blocks(n, (i) => NOBLE[name](concat(i, tail)));
      expect(kdfe(hashByName(name), z, text, u, v, n)).toEqual(expected);
    }),
  );
});
