import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChainId, Sid, Slot } from '#agent/base/brands.ts';
import { canonicalAddress, decodeEndpoint, encodeEndpoint } from './address.ts';
import {
  KID_BYTES,
  MODE,
  PREFIX_BYTES,
  SALT_BYTES,
  decodeBlock,
  decodeReply,
  encodeBlock,
  encodeHeader,
  encodeReply,
  openHeader,
  sealHeader,
  srcRefOf,
} from './opening.ts';

const headerKey = Buffer.alloc(32, 1);
const kid = Buffer.alloc(KID_BYTES, 2);
const salt = Buffer.alloc(SALT_BYTES, 3);
const header = { suite: 1, mode: MODE.tunnel, srcRef: 'ab'.repeat(8), openLen: 128 + 16 };
const prefixOf = (plain: Buffer): Buffer =>
  Buffer.concat([kid, salt, sealHeader(headerKey, kid, salt, plain)]);

const endpoint = fc.record({
  address: fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((ip) => canonicalAddress(ip) ?? '::'),
  ),
  port: fc.nat(65_535),
});
const block = fc.record({
  token: fc.uint8Array({ maxLength: 900 }),
  endorsement: fc.uint8Array({ maxLength: 900 }),
  destination: endpoint,
  client: endpoint,
  sentMs: fc.nat(2 ** 42),
  lineage: fc.constantFrom(new Uint8Array(0), new Uint8Array(32).fill(7)),
});

describe('lane header', () => {
  it('openHeader() is the inverse of sealHeader()', () => {
    const plain = encodeHeader(header);
    const opened = openHeader(headerKey, prefixOf(plain));
    expect(opened?.header).toEqual(header);
    expect(opened?.plain.equals(plain)).toBe(true);
    expect(prefixOf(plain).length).toBe(PREFIX_BYTES);
  });

  it('openHeader() refuses every change of one bit, and another key', () => {
    const prefix = prefixOf(encodeHeader(header));
    for (let bit = 0; bit < prefix.length * 8; bit += 1) {
      const bad = Buffer.from(prefix);
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // The last 4 bytes of the salt are not in the nonce, but in the AAD.
      expect(openHeader(headerKey, bad)).toBeUndefined();
    }
    expect(openHeader(Buffer.alloc(32), prefix)).toBeUndefined();
  });

  it('openHeader() refuses another version, flags and absurd lengths, well sealed', () => {
    const good = encodeHeader(header);
    const change = (at: number, value: number): Buffer => {
      const plain = Buffer.from(good);
      plain[at] = value;
      return plain;
    };
    const lengths = [0, 16, 16 + 63, 16 + 65, 16 + 4096 + 64, 0xffff];
    const bad = [
      change(0, 2),
      change(2, 1),
      ...lengths.map((openLen) => encodeHeader({ ...header, openLen })),
    ];
    for (const plain of bad) expect(openHeader(headerKey, prefixOf(plain))).toBeUndefined();
  });

  it('srcRefOf() is the first half of a statement id', () => {
    expect(srcRefOf('0123456789abcdef0123456789abcdef' as Sid)).toBe('0123456789abcdef');
  });
});

describe('open block', () => {
  it('decodeBlock() is the inverse of encodeBlock(), in a multiple of 64 bytes', () => {
    fc.assert(
      fc.property(block, (value) => {
        const plain = encodeBlock(value);
        expect(plain.length % 64).toBe(0);
        const decoded = decodeBlock(plain);
        expect(decoded).toEqual({
          ...value,
          token: Buffer.from(value.token),
          endorsement: Buffer.from(value.endorsement),
          lineage: Buffer.from(value.lineage),
        });
      }),
    );
  });

  it('decodeBlock() has one form for one content: what it reads encodes to the same bytes', () => {
    fc.assert(
      fc.property(block, fc.nat(), fc.nat(255), (value, at, byte) => {
        const plain = encodeBlock(value);
        plain[at % plain.length] = byte;
        const decoded = decodeBlock(plain);
        if (decoded) expect(encodeBlock(decoded).equals(plain)).toBe(true);
      }),
    );
  });

  it('decodeBlock() never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (b) => void decodeBlock(Buffer.from(b))),
    );
  });

  it('encodeBlock() refuses what a receiver would not read', () => {
    const end = { address: '10.0.0.1', port: 1 };
    const value = {
      endorsement: Buffer.alloc(0),
      destination: end,
      client: end,
      sentMs: 0,
      lineage: Buffer.alloc(0),
    };
    expect(() => encodeBlock({ ...value, token: Buffer.alloc(5000) })).toThrow(RangeError);
    expect(() =>
      encodeBlock({ ...value, token: kid, destination: { address: 'x', port: 1 } }),
    ).toThrow(RangeError);
  });
});

describe('reply', () => {
  const confirmed = {
    chainId: 'cd'.repeat(16) as ChainId,
    slot: 5 as Slot,
    check: Buffer.alloc(8, 9),
  };
  it('decodeReply() is the inverse of encodeReply(), one length whatever it says', () => {
    const replies = [
      {},
      { confirmed },
      { denied: 'policy' as const },
      { denied: 'busy' as const, confirmed },
    ];
    for (const reply of replies) {
      expect(decodeReply(encodeReply(reply))).toEqual(reply);
      expect(encodeReply(reply).length).toBe(48);
    }
  });

  it('decodeReply() refuses what stands behind the check', () => {
    const plain = encodeReply({});
    for (let at = 33; at < plain.length; at += 1) {
      const bad = Buffer.from(plain);
      bad[at] = 1;
      expect(decodeReply(bad)).toBeUndefined();
    }
  });

  it('decodeReply() reads an unknown code as a denial, never as an acceptance', () => {
    const plain = encodeReply({});
    plain[0] = 200;
    expect(decodeReply(plain)?.denied).toBe('policy');
  });
});

describe('endpoints', () => {
  it('decodeEndpoint() is the inverse of encodeEndpoint()', () => {
    fc.assert(
      fc.property(endpoint, (value) => {
        const raw = encodeEndpoint(value);
        expect(decodeEndpoint(raw)).toEqual({ endpoint: value, length: raw.length });
      }),
    );
  });

  it('canonicalAddress() gives one form to every spelling of an address', () => {
    const spellings = [
      ['::ffff:10.0.0.1', '10.0.0.1'],
      ['::FFFF:a00:1', '10.0.0.1'],
      ['2001:DB8:0:0:0:0:0:A', '2001:db8::a'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['10.1.2.3', '10.1.2.3'],
    ];
    for (const [given, form] of spellings) expect(canonicalAddress(given ?? '')).toBe(form);
    for (const bad of ['', 'x', '10.0.0', 'fe80::1%eth0', '10.0.0.1:80']) {
      expect(canonicalAddress(bad)).toBeUndefined();
    }
  });

  it('decodeEndpoint() refuses a mapped address, which has another form', () => {
    const mapped = Buffer.concat([
      Buffer.from([6]),
      Buffer.from('00000000000000000000ffff0a000001', 'hex'),
      Buffer.alloc(2),
    ]);
    expect(decodeEndpoint(mapped)).toBeUndefined();
  });
});
