import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { encodingOf } from './encoded.ts';
import { makeAttest } from '#attest/testdata/quote.ts';

const evidence = makeAttest();
const base64 = evidence.toString('base64');

it.each([
  ['gzip', gzipSync(evidence), 'gzip'],
  ['hex', Buffer.from(evidence.toString('hex')), 'hex'],
  ['hex in lines', Buffer.from(evidence.toString('hex').replaceAll(/.{60}/g, '$&\n')), 'hex'],
  ['base64', Buffer.from(base64), 'base64'],
  ['base64 in lines', Buffer.from(`${base64.replaceAll(/.{64}/g, '$&\r\n')}\n`), 'base64'],
  ['base64url', Buffer.from(evidence.toString('base64url')), 'base64'],
  ['more than is looked at', Buffer.from('00'.repeat(1 << 20)), 'hex'],
  ['the bytes themselves', evidence, undefined],
  ['PEM', Buffer.from(`-----BEGIN CERTIFICATE-----\n${base64}`), undefined],
  ['a token', Buffer.from('e30.e30.AAAAAAAAAAAAAAAAAAAAAA'), undefined],
  ['a word', Buffer.from('evidence'), undefined],
  ['nothing', Buffer.alloc(0), undefined],
] as const)('encodingOf() tells %s', (_, bytes, encoding) => {
  expect(encodingOf(bytes)).toBe(encoding);
});
