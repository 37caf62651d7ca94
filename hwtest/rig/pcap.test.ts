// searchCapture() against files written here byte by byte: order, overlap, loss, byte order, garbage.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '#agent/base/bytes.ts';
import { createFinder, searchCapture } from './pcap.ts';

const CANARY = utf8('canary-0123456789');

/** An Ethernet frame with IPv4 and TCP headers around `data`. */
function frame(seq: number, data: Uint8Array, flags = 0x10, sourcePort = 1000): Buffer {
  const out = Buffer.alloc(54 + data.length);
  out.writeUInt16BE(0x0800, 12);
  out.writeUInt8(0x45, 14);
  out.writeUInt16BE(40 + data.length, 16);
  out.writeUInt8(6, 23);
  out.writeUInt16BE(sourcePort, 34);
  out.writeUInt32BE(seq >>> 0, 38);
  out.writeUInt8(5 << 4, 46);
  out.writeUInt8(flags, 47);
  out.set(data, 54);
  return out;
}

/** A capture file of these frames in either byte order. */
function pcap(frames: readonly Buffer[], order: 'BE' | 'LE'): Buffer {
  const header = Buffer.alloc(24);
  header[`writeUInt32${order}`](0xa1b2c3d4, 0);
  header[`writeUInt32${order}`](1, 20);
  const records = frames.flatMap((each) => {
    const record = Buffer.alloc(16);
    record[`writeUInt32${order}`](each.length, 8);
    record[`writeUInt32${order}`](each.length, 12);
    return [record, each];
  });
  return Buffer.concat([header, ...records]);
}

function hitsOf(frames: readonly Buffer[]): number {
  const finder = createFinder([CANARY]);
  for (const each of frames) finder.packet(each);
  return finder.finish();
}

describe('createFinder()', () => {
  test('createFinder() counts a canary once however it is cut, repeated and shuffled', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(0xffff_ffff),
        fc.array(fc.nat(400), { maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        (before, after, start, cuts, order) => {
          const stream = Buffer.concat([before, CANARY, after]);
          const edges = [
            ...new Set([0, ...cuts.map((c) => c % stream.length), stream.length]),
          ].sort((a, b) => a - b);
          const segments = edges
            .slice(0, -1)
            .map((from, i) => frame(start + 1 + from, stream.subarray(from, edges[i + 1])));
          const shuffled = [...segments, ...segments.slice(0, 2)]
            .map((segment) => ({ segment, key: order.next().value ?? 0 }))
            .sort((a, b) => a.key - b.key)
            .map(({ segment }) => segment);
          expect(hitsOf([frame(start, new Uint8Array(0), 0x02), ...shuffled])).toBe(1);
        },
      ),
    );
  });

  test('createFinder() keeps flows apart', () => {
    const half = CANARY.length >> 1;
    const first = frame(1, CANARY.subarray(0, half), 0x10, 1000);
    const second = frame(1 + half, CANARY.subarray(half), 0x10, 2000);
    expect(hitsOf([first, second])).toBe(0);
  });

  test('createFinder() looks behind a segment that was lost', () => {
    expect(hitsOf([frame(1, utf8('start')), frame(5000, CANARY)])).toBe(1);
  });

  test('createFinder() takes any bytes as a frame', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 })), (frames) => {
        expect(hitsOf(frames.map((each) => Buffer.from(each)))).toBe(0);
      }),
    );
  });
});

describe('searchCapture()', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(`${tmpdir()}/pcap-`);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const fileOf = (bytes: Uint8Array): string => {
    const file = `${dir}/${Math.random()}.pcap`;
    writeFileSync(file, bytes);
    return file;
  };

  test.each(['BE', 'LE'] as const)('searchCapture() reads %s files', async (order) => {
    const file = fileOf(pcap([frame(1, CANARY), frame(900, utf8('nothing'))], order));
    expect(await searchCapture(file, [CANARY])).toEqual({
      packets: 2,
      hits: 1,
      hitsInPackets: 1,
      hitsInFlows: 1,
    });
  });

  test('searchCapture() finds a canary in a packet that is not TCP', async () => {
    const udp = frame(1, CANARY);
    udp.writeUInt8(17, 23);
    const found = await searchCapture(fileOf(pcap([udp], 'LE')), [CANARY]);
    expect(found).toMatchObject({ hits: 1, hitsInPackets: 1, hitsInFlows: 0 });
  });

  test('searchCapture() ends with the last whole record of a file cut short', async () => {
    const whole = pcap([frame(1, CANARY), frame(900, CANARY)], 'LE');
    const found = await searchCapture(fileOf(whole.subarray(0, -3)), [CANARY]);
    expect(found).toMatchObject({ packets: 1, hits: 1 });
  });

  test('searchCapture() refuses what is no capture of Ethernet', async () => {
    await expect(searchCapture(fileOf(Buffer.alloc(40)), [CANARY])).rejects.toThrow('not a pcap');
    const other = pcap([], 'LE');
    other.writeUInt32LE(113, 20);
    await expect(searchCapture(fileOf(other), [CANARY])).rejects.toThrow('link type 113');
  });
});
