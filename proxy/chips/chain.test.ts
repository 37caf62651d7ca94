import { createHash } from 'node:crypto';
import { expand as nobleExpand } from '@noble/hashes/hkdf.js';
import { hmac as nobleHmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeName, Sid, Slot } from '#agent/base/brands.ts';
import { concat, field, fromHex, hex, u32, u64, utf8 } from '#agent/base/bytes.ts';
import {
  LABEL,
  chainIdOf,
  endpoint,
  epochStep,
  headerKeyOf,
  kidOf,
  lanePort,
  presenceCheck,
  rootCommit,
  tick,
} from './chain.ts';
import { chipsAlgorithm } from './registry.ts';

const chain = Buffer.alloc(32, 5);
const node = 'node-b.example' as NodeName;
const sid = 'ab'.repeat(16) as Sid;
const receiver = concat(field(node), fromHex(sid));

describe('chain', () => {
  it('tick() is HKDF-Expand over the label and the next slot', () => {
    const info = concat(utf8('tidelock/tick/v1'), u64(1001));
    expect(hex(tick(chain, 1000 as Slot))).toBe(hex(nobleExpand(sha256, chain, info, 32)));
  });

  it('tick() of two ends agrees over any number of slots and never repeats', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (start) => {
        const seen = new Set<string>();
        let value: Buffer = chain;
        for (let slot = start; slot < start + 20; slot += 1) {
          value = tick(value, slot as Slot);
          seen.add(hex(value));
        }
        expect(seen.size).toBe(20);
      }),
      { numRuns: 20 },
    );
  });

  it('kidOf(), headerKeyOf() and presenceCheck() follow PROTOCOL 4 and 6 literally', () => {
    const mac = nobleHmac(sha256, chain, concat(utf8('kid'), receiver));
    expect(hex(kidOf(chain, endpoint(node, sid)))).toBe(hex(mac.subarray(0, 8)));
    const header = nobleExpand(sha256, chain, concat(utf8('header'), receiver), 32);
    expect(hex(headerKeyOf(chain, endpoint(node, sid)))).toBe(hex(header));
    const check = nobleExpand(sha256, chain, concat(utf8('check'), receiver), 32);
    expect(hex(presenceCheck(chain, node, sid))).toBe(hex(check.subarray(0, 8)));
  });

  it('endpoint() cannot be confused by moving a byte between name and statement', () => {
    const other = endpoint('node-b.exampl' as NodeName, sid);
    expect(hex(endpoint(node, sid)).startsWith(hex(other))).toBe(false);
  });

  it('LABEL holds no label that begins another', () => {
    const labels = Object.values(LABEL).map(hex);
    for (const a of labels) {
      expect(labels.filter((b) => b.startsWith(a))).toEqual([a]);
    }
  });

  it('epochStep() is the derivation of the record: beacon as salt, record hash as info', () => {
    const algorithm = chipsAlgorithm(1);
    if (algorithm === undefined) throw new Error('no algorithm 1');
    const [beacon, hash] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    expect(hex(epochStep(algorithm, chain, beacon, hash))).toBe(
      hex(algorithm.derive(chain, beacon, hash, 32)),
    );
    expect(hex(epochStep(algorithm, chain, beacon, hash))).not.toBe(
      hex(epochStep(algorithm, chain, hash, beacon)),
    );
  });

  it('chainIdOf() and rootCommit() are SHA-256 after their label', () => {
    const digest = (label: string) =>
      createHash('sha256').update(label).update(chain).digest('hex');
    expect(chainIdOf(chain)).toBe(digest('tidelock/chain').slice(0, 32));
    expect(hex(rootCommit(chain))).toBe(digest('tidelock/commit/v1'));
  });

  it('lanePort() stays inside the range and moves with the hop', () => {
    const range = { base: 20_000, span: 10_000 };
    const info = concat(utf8('port'), receiver, u32(1));
    const drawn = Buffer.from(nobleExpand(sha256, chain, info, 32)).readUInt32BE(0);
    expect(lanePort(chain, node, sid, 1, range)).toBe(20_000 + (drawn % 10_000));
    const ports = new Set([0, 1, 2, 3].map((hop) => lanePort(chain, node, sid, hop, range)));
    expect(ports.size).toBe(4);
  });
});
