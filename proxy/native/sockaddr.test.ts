import { SocketAddress } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressBytes, addressText, decodeSockaddr, encodeSockaddr } from './sockaddr.ts';

describe('addressBytes() and addressText()', () => {
  test.each([
    ['10.1.2.3', '0a010203'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:db8::', '20010db8000000000000000000000000'],
    ['2001:db8:0:1:2::3', '20010db8000000010002000000000003'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
  ])('addressBytes() reads %s', (text, expected) => {
    expect(addressBytes(text).toString('hex')).toBe(expected);
  });

  test.each(['', 'localhost', '1.2.3', '1.2.3.256', 'fe80::1%eth0', '1::2::3', '12345::'])(
    'addressBytes() refuses %j',
    (text) => expect(() => addressBytes(text)).toThrow(RangeError),
  );

  test('addressBytes() is the inverse of addressText() for every address', () => {
    const raw = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 255), { minLength: 16, maxLength: 16 })
        .map((b) => Uint8Array.from(b)),
    );
    fc.assert(
      fc.property(raw, (bytes) => {
        expect(new Uint8Array(addressBytes(addressText(bytes)))).toEqual(bytes);
      }),
    );
  });

  test('addressText() writes what Node writes', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const nodes = new SocketAddress({ address: text, family: 'ipv6' }).address;
        expect(addressText(addressBytes(text))).toBe(nodes);
      }),
    );
  });
});

describe('encodeSockaddr() and decodeSockaddr()', () => {
  test('encodeSockaddr() lays IPv4 and IPv6 out as bind(2) takes them', () => {
    expect(encodeSockaddr('10.1.2.3', 15001).toString('hex')).toBe(
      '02003a990a0102030000000000000000',
    );
    expect(encodeSockaddr('2001:db8::1', 80).toString('hex')).toBe(
      '0a0000500000000020010db800000000000000000000000100000000',
    );
  });

  test('decodeSockaddr() reads both back', () => {
    for (const [address, family] of [
      ['10.1.2.3', 4],
      ['2001:db8::1', 6],
    ] as const) {
      expect(decodeSockaddr(encodeSockaddr(address, 443))).toEqual({ family, address, port: 443 });
    }
  });

  test('decodeSockaddr() knows no other family and no cut address', () => {
    expect(decodeSockaddr(Buffer.alloc(28))).toBeUndefined();
    expect(decodeSockaddr(encodeSockaddr('10.1.2.3', 1).subarray(0, 15))).toBeUndefined();
    expect(decodeSockaddr(encodeSockaddr('::1', 1).subarray(0, 27))).toBeUndefined();
  });
});
