// Reads a capture file and looks for byte strings in it: in every packet as it is, and in every TCP
// flow put back in order, so that a canary split over segments is found as well. Streams the file;
// memory is bounded by the flows, not by the capture.
import { createReadStream } from 'node:fs';

// --- pcap file format (draft-ietf-opsawg-pcap), Ethernet, IPv4 (RFC 791), TCP (RFC 9293) ----------
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const LINKTYPE_ETHERNET = 1;
const ETHERNET_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
const SYN = 0x02;
const RST = 0x04;

/** Out-of-order bytes kept per flow; beyond it the gap is taken as lost and skipped. */
const MAX_PENDING_BYTES = 4 << 20;

export interface CaptureSearch {
  readonly packets: number;
  /** Occurrences of any canary, the larger of both ways of looking. */
  readonly hits: number;
  readonly hitsInPackets: number;
  readonly hitsInFlows: number;
}

/** Searches a classic pcap file. Errors: RangeError when it is not one with Ethernet frames. */
export async function searchCapture(
  file: string,
  canaries: readonly Uint8Array[],
): Promise<CaptureSearch> {
  const finder = createFinder(canaries);
  let packets = 0;
  let hitsInPackets = 0;
  for await (const packet of readPackets(file)) {
    packets += 1;
    hitsInPackets += countIn(packet, canaries, 0);
    finder.packet(packet);
  }
  const hitsInFlows = finder.finish();
  return { packets, hits: Math.max(hitsInPackets, hitsInFlows), hitsInPackets, hitsInFlows };
}

/** Frames of a pcap file of either byte order. A file cut in mid-record ends with the last whole one. */
export async function* readPackets(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let littleEndian: boolean | undefined;
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    let at = 0;
    if (littleEndian === undefined) {
      if (rest.length < FILE_HEADER_BYTES) continue;
      littleEndian = byteOrder(rest);
      at = FILE_HEADER_BYTES;
    }
    while (rest.length - at >= RECORD_HEADER_BYTES) {
      const lengthAt = at + 8;
      const length = littleEndian ? rest.readUInt32LE(lengthAt) : rest.readUInt32BE(lengthAt);
      if (rest.length - at - RECORD_HEADER_BYTES < length) break;
      yield rest.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
      at += RECORD_HEADER_BYTES + length;
    }
    rest = rest.subarray(at);
  }
}

function byteOrder(header: Buffer): boolean {
  const littleEndian = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(header.readUInt32LE(0));
  if (!littleEndian && ![MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(header.readUInt32BE(0))) {
    throw new RangeError('not a pcap file');
  }
  const linkType = littleEndian ? header.readUInt32LE(20) : header.readUInt32BE(20);
  if (linkType !== LINKTYPE_ETHERNET) throw new RangeError(`pcap link type ${linkType}`);
  return littleEndian;
}

/** Reassembles TCP flows and counts canaries in each direction's byte stream. */
export interface FlowFinder {
  packet(frame: Buffer): void;
  /** Hits in all flows, out-of-order remains included. */
  finish(): number;
}

export function createFinder(canaries: readonly Uint8Array[]): FlowFinder {
  const tailBytes = Math.max(0, ...canaries.map((canary) => canary.length - 1));
  const flows = new Map<string, Flow>();
  let hits = 0;

  const deliver = (flow: Flow, data: Buffer): void => {
    const joined = Buffer.concat([flow.tail, data]);
    hits += countIn(joined, canaries, flow.tail.length);
    flow.tail = joined.subarray(Math.max(0, joined.length - tailBytes));
    flow.next = (flow.next + data.length) >>> 0;
  };
  const drain = (flow: Flow): void => {
    for (let again = true; again;) {
      again = false;
      for (const [seq, data] of flow.pending) {
        const known = (flow.next - seq) | 0;
        if (known < 0) continue;
        flow.pending.delete(seq);
        flow.pendingBytes -= data.length;
        if (known < data.length) deliver(flow, data.subarray(known));
        again = true;
      }
    }
  };
  const skipGap = (flow: Flow): void => {
    const nearest = [...flow.pending.keys()].sort(
      (a, b) => ((a - flow.next) | 0) - ((b - flow.next) | 0),
    )[0];
    if (nearest === undefined) return;
    flow.next = nearest;
    flow.tail = Buffer.alloc(0);
    drain(flow);
  };

  return {
    packet: (frame) => {
      const segment = tcpSegment(frame);
      if (segment === undefined) return;
      let flow = flows.get(segment.flow);
      if (flow === undefined || segment.flags & SYN) {
        const next = (segment.seq + (segment.flags & SYN ? 1 : 0)) >>> 0;
        flow = { next, tail: Buffer.alloc(0), pending: new Map(), pendingBytes: 0 };
        flows.set(segment.flow, flow);
      }
      if (segment.data.length > 0) {
        // The frame is a view into the reader's buffer; what waits is copied.
        flow.pending.set(segment.seq, Buffer.from(segment.data));
        flow.pendingBytes += segment.data.length;
        drain(flow);
        while (flow.pendingBytes > MAX_PENDING_BYTES) skipGap(flow);
      }
      if (segment.flags & RST) flows.delete(segment.flow);
    },
    finish: () => {
      for (const flow of flows.values()) while (flow.pending.size > 0) skipGap(flow);
      return hits;
    },
  };
}

interface Flow {
  /** Next sequence number in order. */
  next: number;
  /** Last bytes delivered, one less than the longest canary. */
  tail: Buffer;
  readonly pending: Map<number, Buffer>;
  pendingBytes: number;
}

interface Segment {
  readonly flow: string;
  readonly seq: number;
  readonly flags: number;
  readonly data: Buffer;
}

/** The TCP segment in an Ethernet frame, if it holds one. */
function tcpSegment(frame: Buffer): Segment | undefined {
  const ip = frame.subarray(ETHERNET_BYTES);
  if (ip.length < 20 || frame.readUInt16BE(12) !== ETHERTYPE_IPV4) return undefined;
  const headerBytes = (ip.readUInt8(0) & 0x0f) * 4;
  const totalBytes = ip.readUInt16BE(2) || ip.length; // 0: larger than 64 KiB by offload
  const tcp = ip.subarray(headerBytes, totalBytes);
  if (ip.readUInt8(9) !== PROTOCOL_TCP || tcp.length < 20) return undefined;
  const addresses = ip.toString('latin1', 12, 20);
  return {
    flow: `${addresses}${tcp.toString('latin1', 0, 4)}`,
    seq: tcp.readUInt32BE(4),
    flags: tcp.readUInt8(13),
    data: tcp.subarray((tcp.readUInt8(12) >> 4) * 4),
  };
}

/** Occurrences of any canary that end after the first `known` bytes. */
function countIn(bytes: Buffer, canaries: readonly Uint8Array[], known: number): number {
  let count = 0;
  for (const canary of canaries) {
    const from = Math.max(0, known - canary.length + 1);
    for (let at = bytes.indexOf(canary, from); at >= 0; at = bytes.indexOf(canary, at + 1)) {
      count += 1;
    }
  }
  return count;
}
