import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChainId, Sid, Slot } from '#agent/base/brands.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import { MAX_READ_BYTES } from '#proxy/heldBytes.ts';
import {
  FRAME,
  FULL_FRAME_DATA,
  MAX_FRAME_DATA,
  decodeKeyUpdate,
  decodeReset,
  encodeKeyUpdate,
  encodeReset,
  type FrameType,
} from './frames.ts';
import { frameKeys } from './keys.ts';
import { FrameOpener, type Frame } from './opener.ts';
import { FrameSealer } from './sealer.ts';

const NAMES: AeadName[] = ['AES-256-GCM', 'ChaCha20-Poly1305', 'AES-256-GCM-SIV'];
const secret = Buffer.alloc(32, 9);
const sealerOf = (name: AeadName, from = secret) => new FrameSealer(name, frameKeys(from));
const openerOf = (name: AeadName, from = secret) => new FrameOpener(name, frameKeys(from));
/** A frame of one's own, or several in a row. */
const own = (...frames: readonly Buffer[]): Buffer => Buffer.concat(frames);

/** Gives `wire` to the opener in pieces of `sizes`, from one buffer that is overwritten after each. */
function pushInPieces(opener: FrameOpener, wire: Buffer, sizes: readonly number[]) {
  const frames: { type: FrameType; data: Buffer }[] = [];
  const shared = Buffer.alloc(Math.max(...sizes));
  let failure: string | undefined;
  for (let at = 0, i = 0; at < wire.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    const piece = shared.subarray(0, wire.copy(shared, 0, at, at + size));
    failure ??= opener.push(piece, ({ type, data }: Frame) => {
      frames.push({ type, data: own(data) });
    });
    shared.fill(0xee);
    at += size;
  }
  return { frames, failure };
}

describe('FrameSealer and FrameOpener', () => {
  const frame = fc
    .record({
      type: fc.constantFrom(...Object.values(FRAME)),
      data: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ size: 'xlarge', maxLength: 20_000 }),
      ),
      padding: fc.nat(100),
    })
    .map((sent) => (sent.type === FRAME.fin ? { ...sent, data: new Uint8Array() } : sent));
  it.each(NAMES)('frame() and push() of %s round-trip whatever pieces TCP makes', (name) => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 6 }),
        (sent, sizes) => {
          const sealer = sealerOf(name);
          const wire = own(...sent.map((f) => own(sealer.frame(f.type, f.data, f.padding))));
          const opener = openerOf(name);
          const { frames, failure } = pushInPieces(opener, wire, sizes);
          expect(failure).toBeUndefined();
          expect(opener.atBoundary).toBe(true);
          expect(frames).toEqual(sent.map(({ type, data }) => ({ type, data: Buffer.from(data) })));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('frame() keeps data that end in zeros apart from padding', () => {
    const data = Buffer.from([1, 0, 0, 0]);
    const { frames } = pushInPieces(
      openerOf(NAMES[0]!),
      own(sealerOf(NAMES[0]!).frame(FRAME.data, data, 9)),
      [7],
    );
    expect(frames).toEqual([{ type: FRAME.data, data }]);
  });

  it.each(NAMES)('push() of %s delivers nothing of a frame with any one byte changed', (name) => {
    for (const type of Object.values(FRAME)) {
      const wire = own(sealerOf(name).frame(type, Buffer.from('some data')));
      for (let at = 0; at < wire.length; at += 1) {
        const bad = Buffer.from(wire);
        bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
        const filler = Buffer.alloc(1024); // a longer length must not wait for ever unnoticed
        const { frames } = pushInPieces(openerOf(name), Buffer.concat([bad, filler]), [4096]);
        expect(frames).toEqual([]);
      }
    }
  });

  it('push() refuses reordered, repeated and dropped frames', () => {
    const sealer = sealerOf('AES-256-GCM');
    const [one, two] = ['one', 'two'].map((t) => own(sealer.frame(FRAME.data, Buffer.from(t))));
    for (const wire of [[two, one], [one, one], [two]]) {
      const { frames, failure } = pushInPieces(
        openerOf('AES-256-GCM'),
        own(...(wire as Buffer[])),
        [999],
      );
      expect(failure === 'forged' || failure === 'length').toBe(true);
      expect(frames.length).toBe(wire[0] === one ? 1 : 0);
    }
  });

  it('push() refuses frames of another secret: other lane, direction or slot', () => {
    const wire = own(
      sealerOf('AES-256-GCM', Buffer.alloc(32, 1)).frame(FRAME.data, Buffer.alloc(99)),
    );
    const { frames } = pushInPieces(openerOf('AES-256-GCM'), Buffer.concat([wire, wire]), [999]);
    expect(frames).toEqual([]);
  });

  it('push() refuses a length over the limit before reading on', () => {
    const keys = frameKeys(secret);
    const opener = new FrameOpener('AES-256-GCM', keys);
    const sealed = own(sealerOf('AES-256-GCM').frame(FRAME.data, Buffer.alloc(0)));
    sealed[0] = (sealed[0] ?? 0) ^ 0x80;
    expect(opener.push(sealed.subarray(0, 3), () => undefined)).toBe('length');
    expect(keys.key.every((byte) => byte === 0)).toBe(true);
  });

  it('push() refuses a plaintext of padding alone, which has no type', () => {
    const type = 0 as FrameType;
    const wire = own(sealerOf('AES-256-GCM').frame(type, Buffer.alloc(0), 30));
    expect(pushInPieces(openerOf('AES-256-GCM'), wire, [9]).failure).toBe('type');
  });

  it('push() refuses an unknown type', () => {
    const wire = own(sealerOf('AES-256-GCM').frame(99 as FrameType, Buffer.alloc(5)));
    expect(pushInPieces(openerOf('AES-256-GCM'), wire, [9]).failure).toBe('type');
  });

  it('push() refuses a FIN with data, which nobody would deliver', () => {
    const wire = own(sealerOf('AES-256-GCM').frame(FRAME.fin, Buffer.alloc(1), 3));
    expect(pushInPieces(openerOf('AES-256-GCM'), wire, [9])).toEqual({
      frames: [],
      failure: 'type',
    });
  });

  it.each([1280, 1400, 1450, 1500, 8896, 9000])(
    'a full frame is a whole number of segments in one buffer of the kernel, by links of %i bytes',
    (mtu) => {
      const largest = mtu - 40 - 32; // IPv6, TCP with timestamps
      const carried = Math.floor((64 << 10) / largest) * largest;
      const frame = own(sealerOf('AES-256-GCM').frame(FRAME.data, Buffer.alloc(FULL_FRAME_DATA)));
      expect(frame.length).toBeLessThanOrEqual(carried);
      expect(MAX_READ_BYTES.none % FULL_FRAME_DATA).toBe(0);
    },
  );

  it('frame() refuses more than 64 KiB and takes exactly that', () => {
    const sealer = sealerOf('AES-256-GCM');
    expect(() => sealer.frame(FRAME.data, Buffer.alloc(MAX_FRAME_DATA + 1))).toThrow(RangeError);
    const wire = own(sealerOf('AES-256-GCM').frame(FRAME.data, Buffer.alloc(MAX_FRAME_DATA)));
    const { frames } = pushInPieces(openerOf('AES-256-GCM'), wire, [100_000]);
    expect(frames[0]?.data.length).toBe(MAX_FRAME_DATA);
  });

  it('rekey() reads on under the next secret from counter 0, within one chunk', () => {
    const next = Buffer.alloc(32, 3);
    const first = own(sealerOf('AES-256-GCM').frame(FRAME.keyUpdate, Buffer.alloc(0)));
    const second = sealerOf('ChaCha20-Poly1305', next).frame(FRAME.data, Buffer.from('after'));
    const opener = openerOf('AES-256-GCM');
    const seen: string[] = [];
    const failure = opener.push(own(first, second), ({ type, data }) => {
      seen.push(data.toString());
      if (type === FRAME.keyUpdate) opener.rekey('ChaCha20-Poly1305', frameKeys(next));
    });
    expect(failure).toBeUndefined();
    expect(seen).toEqual(['', 'after']);
  });

  it('message() takes counter 0, so that a frame cannot stand in its place', () => {
    const aad = Buffer.alloc(4);
    const sealed = sealerOf('AES-256-GCM').message(aad, Buffer.from('block'));
    expect(openerOf('AES-256-GCM').message(aad, sealed)?.toString()).toBe('block');
    const later = openerOf('AES-256-GCM');
    later.push(own(sealerOf('AES-256-GCM').frame(FRAME.pad, Buffer.alloc(0))), () => undefined);
    expect(later.message(aad, sealed)).toBeUndefined();
  });

  it('close() overwrites the keys', () => {
    const keys = frameKeys(secret);
    new FrameSealer('AES-256-GCM', keys).close();
    expect(Buffer.concat([keys.key, keys.iv, keys.hp]).every((byte) => byte === 0)).toBe(true);
  });
});

describe('frame bodies', () => {
  const update = {
    kind: 1,
    chainId: '1'.repeat(32) as ChainId,
    slot: 178_000_000 as Slot,
    ownSid: '2'.repeat(32) as Sid,
    peerSid: '3'.repeat(32) as Sid,
  } as const;

  it('decodeKeyUpdate() is the inverse of encodeKeyUpdate(), one size for both kinds', () => {
    expect(decodeKeyUpdate(encodeKeyUpdate(update))).toEqual(update);
    expect(decodeKeyUpdate(encodeKeyUpdate({ kind: 0 }))).toEqual({ kind: 0 });
    expect(encodeKeyUpdate(update).length).toBe(encodeKeyUpdate({ kind: 0 }).length);
  });

  it('decodeKeyUpdate() refuses what encodeKeyUpdate() would not have written', () => {
    const body = encodeKeyUpdate(update);
    const zeros = Buffer.alloc(57);
    zeros[56] = 1;
    const kind2 = Buffer.from(body);
    kind2[0] = 2;
    const unsafe = Buffer.from(body).fill(0xff, 17, 25);
    for (const bad of [body.subarray(1), zeros, kind2, unsafe, Buffer.alloc(0)]) {
      expect(decodeKeyUpdate(bad)).toBeUndefined();
    }
  });

  it('decodeKeyUpdate() never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 60 }), (body) => {
        decodeKeyUpdate(Buffer.from(body));
      }),
    );
  });

  it('decodeReset() knows every code and reads all else as other', () => {
    for (const code of [
      'application',
      'policy',
      'trust',
      'protocol',
      'keys',
      'shutdown',
      'other',
    ] as const) {
      expect(decodeReset(encodeReset(code))).toBe(code);
    }
    expect(decodeReset(Buffer.from([9, 9]))).toBe('other');
    expect(decodeReset(randomBytes(3))).toBe('other');
  });
});
