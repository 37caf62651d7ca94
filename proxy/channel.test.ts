import { Socket } from 'node:net';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Channel, decodeFrame, encodeFrame, FrameReader, isSnapshotFrame } from './channel.ts';
import { socketPair } from '#proxy/native/socket.ts';

const bytes = fc.uint8Array({ maxLength: 200 });
const leaf = fc.oneof(bytes, fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
const { message } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value')), tie('message')),
  message: fc.dictionary(
    fc.string().filter((key) => key !== '$bytes' && key !== '__proto__'),
    tie('value'),
    { noNullPrototype: true, maxKeys: 6 },
  ),
}));

const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? `bytes ${Buffer.from(value).toString('hex')}`
    : Array.isArray(value)
      ? value.map(plain)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
        : value;

describe('encodeFrame() and decodeFrame()', () => {
  test('decodeFrame() gives back what encodeFrame() was given, attachments included', () => {
    fc.assert(
      fc.property(message, (original) => {
        const decoded = decodeFrame(encodeFrame(original));
        expect(plain(decoded)).toEqual(JSON.parse(JSON.stringify(plain(original))));
      }),
    );
  });

  test('isSnapshotFrame() knows a snapshot by its beginning, and nothing else', () => {
    const snapshot = { version: 1 };
    expect(isSnapshotFrame(encodeFrame({ type: 'snapshot', snapshot }))).toBe(true);
    for (const other of [{ type: 'snapshots' }, { snapshot, type: 'hello' }, {}]) {
      expect(isSnapshotFrame(encodeFrame(other))).toBe(false);
    }
    expect(isSnapshotFrame(Buffer.alloc(0))).toBe(false);
  });

  test('decodeFrame() puts every byte string inside the frame, so that one fill wipes all', () => {
    const frame = encodeFrame({
      chains: [{ key: Buffer.alloc(32, 7) }, { key: Buffer.alloc(32, 9) }],
    });
    const decoded = decodeFrame(frame) as { chains: { key: Uint8Array }[] };
    expect(decoded.chains[1]?.key).toEqual(Buffer.alloc(32, 9));
    frame.fill(0);
    for (const { key } of decoded.chains) expect(key.every((byte) => byte === 0)).toBe(true);
  });

  test('encodeFrame() leaves no key in the text of the header', () => {
    const key = Buffer.from('a key that is readable as text...');
    const frame = encodeFrame({ key });
    const header = frame.toString('latin1', 8, 8 + frame.readUInt32BE(0));
    expect(header).toBe('{"key":{"$bytes":[0,33]}}');
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['a cut prefix', Buffer.alloc(7)],
    ['longer than it says', Buffer.concat([encodeFrame({ a: 1 }), Buffer.of(0)])],
    ['shorter than it says', encodeFrame({ a: 1 }).subarray(0, -1)],
    ['no JSON', raw('{', 0)],
    ['an attachment past the end', raw('{"a":{"$bytes":[0,5]}}', 4)],
    ['an attachment before the start', raw('{"a":{"$bytes":[-1,2]}}', 4)],
    ['an attachment of negative length', raw('{"a":{"$bytes":[2,-1]}}', 4)],
    ['an attachment that is no pair', raw('{"a":{"$bytes":"x"}}', 4)],
    ['an attachment of fractions', raw('{"a":{"$bytes":[0.5,1]}}', 4)],
  ])('decodeFrame() refuses a frame that is %s', (_what, frame) => {
    expect(() => decodeFrame(frame)).toThrow(
      expect.objectContaining({ code: 'CONTROL_MALFORMED' }),
    );
  });
});

function raw(header: string, attachmentBytes: number): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32BE(header.length, 0);
  prefix.writeUInt32BE(attachmentBytes, 4);
  return Buffer.concat([prefix, Buffer.from(header), Buffer.alloc(attachmentBytes)]);
}

describe('FrameReader', () => {
  test('FrameReader.push() finds the same frames however the stream is cut', () => {
    const frames = [
      encodeFrame({ a: Buffer.alloc(100, 1) }),
      encodeFrame({}),
      encodeFrame({ b: 'x' }),
    ];
    const stream = Buffer.concat(frames);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length), { maxLength: 20 }), (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const found: Buffer[] = [];
        const reader = new FrameReader(1000);
        edges.slice(1).forEach((end, i) => {
          reader.push(stream.subarray(edges[i], end), (frame) => found.push(frame));
        });
        expect(found).toEqual(frames);
      }),
    );
  });

  test('FrameReader.push() refuses a frame over its bound before it is received', () => {
    const prefix = Buffer.alloc(8, 0xff);
    expect(() => new FrameReader(1 << 20).push(prefix, () => undefined)).toThrow(/at most 1048576/);
  });
});

/** Two channels joined by a socket pair; the right one reports what it hears. */
function pair(maxQueuedBytes: number) {
  const [a, b] = socketPair('stream');
  const received = Promise.withResolvers<Buffer>();
  const closed = Promise.withResolvers<Error | undefined>();
  const options = { maxFrameBytes: 1 << 20, maxQueuedBytes };
  const left = new Channel(new Socket({ fd: a }), {
    ...options,
    onFrame: () => undefined,
    onClose: () => undefined,
  });
  const rightSocket = new Socket({ fd: b });
  const right = new Channel(rightSocket, {
    ...options,
    onFrame: received.resolve,
    onClose: closed.resolve,
  });
  return { left, right, rightSocket, received: received.promise, closed: closed.promise };
}

describe('Channel', () => {
  test('Channel.send() carries a message over a socket pair', async () => {
    const { left, right, received } = pair(1 << 20);
    expect(left.send({ type: 'x', key: Buffer.alloc(4, 3) })).toBe(true);
    expect(decodeFrame(await received)).toEqual({ type: 'x', key: Buffer.alloc(4, 3) });
    left.close();
    right.close();
  });

  test('Channel.send() says false when the peer has left too much unread', () => {
    const { left, right, rightSocket } = pair(1 << 16);
    rightSocket.pause();
    const big = { filler: Buffer.alloc(1 << 18) };
    const sent = Array.from({ length: 8 }, () => left.send(big));
    expect(sent[0]).toBe(true);
    expect(sent.at(-1)).toBe(false);
    left.close();
    right.close();
  });

  test('Channel closes with an error when the peer breaks the framing, without one when it leaves', async () => {
    const broken = pair(1 << 20);
    broken.left.send({ filler: Buffer.alloc(2 << 20) });
    expect(await broken.closed).toMatchObject({ code: 'CONTROL_MALFORMED' });
    const left = pair(1 << 20);
    left.left.close();
    expect(await left.closed).toBeUndefined();
  });
});
