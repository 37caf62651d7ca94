import { expand as nobleExpand, extract as nobleExtract } from '@noble/hashes/hkdf.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { concat, field, fromHex, hex, utf8 } from '#agent/base/bytes.ts';
import {
  earlySecret,
  frameKeys,
  laneContext,
  laneSecret,
  nextSecret,
  trafficSecret,
  transcriptOf,
} from './keys.ts';

const [chain, pair, salt] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(16, 3)];
const a = { node: 'node-a' as NodeName, sid: 'aa'.repeat(16) as Sid };
const b = { node: 'node-b' as NodeName, sid: 'bb'.repeat(16) as Sid };
const kid = Buffer.alloc(8, 4);
const header = Buffer.alloc(14, 5);
const context = laneContext('example.org', 'test', a, b);
const transcript = transcriptOf(kid, salt, header, context);

describe('lane keys', () => {
  it('transcriptOf() is SHA-256 over every field of PROTOCOL 5 in order', () => {
    const expected = sha256(
      concat(
        utf8('tidelock/lane/v1'),
        kid,
        salt,
        header,
        field('example.org'),
        field('test'),
        field('node-a'),
        fromHex(a.sid),
        field('node-b'),
        fromHex(b.sid),
      ),
    );
    expect(hex(transcript)).toBe(hex(expected));
  });

  it('laneContext() is another for every change of domain, cluster, end or direction', () => {
    const contexts = [
      context,
      laneContext('example.or', 'gtest', a, b),
      laneContext('example.org', 'test', b, a),
      laneContext('example.org', 'test', a, { ...b, sid: a.sid }),
      laneContext('example.org', 'test', { ...a, node: 'node-c' as NodeName }, b),
    ];
    expect(new Set(contexts.map(hex)).size).toBe(contexts.length);
  });

  it('laneSecret(), traffic secrets and nextSecret() are HKDF-SHA-256 of the page', () => {
    const ls = nobleExtract(sha256, concat(utf8('lane'), pair), chain);
    expect(hex(laneSecret(chain, pair))).toBe(hex(ls));
    const expand = (info: string, extra = Buffer.alloc(0)): string =>
      hex(nobleExpand(sha256, ls, concat(utf8(info), transcript, extra), 32));
    expect(hex(earlySecret(ls, transcript))).toBe(expand('c2s early'));
    expect(hex(trafficSecret(ls, 'c2s', transcript, salt))).toBe(expand('c2s', salt));
    expect(hex(trafficSecret(ls, 's2c', transcript, salt))).toBe(expand('s2c', salt));
    const next = nobleHmac(sha256, chain, concat(ls, pair));
    expect(hex(nextSecret(chain, ls, pair))).toBe(hex(next));
  });

  it('frameKeys() are HKDF-Expand-Label of RFC 8446 7.1 with the prefix "tidelock "', () => {
    const secret = Buffer.alloc(32, 6);
    const label = (name: string, length: number): string => {
      const full = `tidelock ${name}`;
      const info = concat(Uint8Array.of(0, length, full.length), utf8(full), Uint8Array.of(0));
      return hex(nobleExpand(sha256, secret, info, length));
    };
    const keys = frameKeys(secret);
    expect(hex(keys.key)).toBe(label('key', 32));
    expect(hex(keys.iv)).toBe(label('iv', 12));
    expect(hex(keys.hp)).toBe(label('hp', 32));
  });
});
