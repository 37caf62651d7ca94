import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateSigningKey, generateWorkloadKey, verifyEd25519 } from '#agent/base/asymmetric.ts';
import type { NodeName, Sid, Slot, SpiffeId } from '#agent/base/brands.ts';
import { hex } from '#agent/base/bytes.ts';
import {
  aliasOf,
  readMaid,
  signEndorsement,
  signToken,
  type MaidToken,
  type ReadMaid,
} from './maid.ts';

const node = generateSigningKey();
const workload = generateWorkloadKey();
const token: MaidToken = {
  slot: 178_000_000 as Slot,
  alias: Buffer.alloc(16, 1),
  sid: 'ab'.repeat(16) as Sid,
  node: 'node-a.example' as NodeName,
  spiffeId: 'spiffe://example.org/c/ns/sa' as SpiffeId,
  podUid: '6f1c1c0e-0000-4000-8000-000000000000',
  imageDigest: `sha256:${'0'.repeat(64)}`,
  evidenceDigest: Buffer.alloc(32, 2),
  prev: Buffer.alloc(32, 3),
  history: Buffer.alloc(32, 4),
};
const { sid, spiffeId, podUid } = token;
const endorsement = { workloadKey: workload.public, sid, spiffeId, podUid };
const byWorkload = (message: Uint8Array) => workload.sign(message);
const byNode = (message: Uint8Array) => node.ed25519(message, 'tokens');
const signedToken = signToken(token, byWorkload);
const signedEndorsement = signEndorsement(endorsement, byNode);
const read = (t: Uint8Array, e: Uint8Array) => readMaid(t, e, node.public.ed25519);
const verifies = (maid: ReadMaid): boolean =>
  maid.checks.every(({ key, message, signature }) =>
    verifyEd25519(key, message, signature, 'tokens'),
  );

describe('MAID', () => {
  it('readMaid() gives back what was signed, and both signatures verify', () => {
    const maid = read(signedToken, signedEndorsement);
    expect(maid?.token).toEqual(token);
    expect(maid && verifies(maid)).toBe(true);
    expect(signedToken.length + signedEndorsement.length).toBeLessThan(1024);
  });

  it('readMaid() and the checks refuse every change of one byte', () => {
    const mutations = [
      ...Array.from(signedToken, (_, at) => [flip(signedToken, at), signedEndorsement] as const),
      ...Array.from(
        signedEndorsement,
        (_, at) => [signedToken, flip(signedEndorsement, at)] as const,
      ),
    ];
    for (const [t, e] of mutations) {
      const maid = read(t, e);
      expect(maid !== undefined && verifies(maid)).toBe(false);
    }
  });

  it('readMaid() refuses an endorsement of another workload, pod or statement', () => {
    for (const other of [
      { ...endorsement, podUid: 'another' },
      { ...endorsement, spiffeId: 'spiffe://example.org/c/ns/admin' as SpiffeId },
      { ...endorsement, sid: 'cd'.repeat(16) as Sid },
    ]) {
      expect(read(signedToken, signEndorsement(other, byNode))).toBeUndefined();
    }
  });

  it('a token and an endorsement are not each other, whatever their bytes', () => {
    expect(read(signedEndorsement, signedToken)).toBeUndefined();
    const stolen = signToken(token, byNode); // signed by the node, whose key is endorsed by nobody
    const maid = read(stolen, signedEndorsement);
    expect(maid && verifies(maid)).toBe(false);
  });

  it('readMaid() refuses trailing bytes', () => {
    const longer = signToken(token, byWorkload);
    const body = Buffer.concat([longer.subarray(0, -64), Buffer.from([0]), longer.subarray(-64)]);
    expect(read(body, signedEndorsement)).toBeUndefined();
  });

  it('readMaid() never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 400 }), (t, e) => {
        const maid = read(t, e);
        expect(maid !== undefined && verifies(maid)).toBe(false);
      }),
    );
  });

  it('signToken() refuses a text that no reader would take', () => {
    expect(() => signToken({ ...token, podUid: 'x'.repeat(129) }, byWorkload)).toThrow(RangeError);
  });

  it('aliasOf() changes with the slot and with the secret', () => {
    const aliases = [
      aliasOf(Buffer.alloc(32, 1), 1 as Slot),
      aliasOf(Buffer.alloc(32, 1), 2 as Slot),
      aliasOf(Buffer.alloc(32, 2), 1 as Slot),
    ];
    expect(new Set(aliases.map(hex)).size).toBe(3);
    expect(aliases[0]?.length).toBe(16);
  });
});

function flip(bytes: Uint8Array, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
  return changed;
}
