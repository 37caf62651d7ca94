// The kids seen on the wire: the first 8 bytes of every lane opening in a capture (PROTOCOL 6).
import { hex } from '#agent/base/bytes.ts';
import { readPackets } from '#hwtest/rig/pcap.ts';

const LANE_PORT = 15_008;
const ETHERNET_BYTES = 14;
const KID_BYTES = 8;
const SYN = 0x02;

/** Distinct kids in the order of their first appearance, as hex. IPv4 only, as the rig is. */
export async function kidsIn(file: string): Promise<string[]> {
  const opening = new Set<string>();
  const kids = new Set<string>();
  for await (const frame of readPackets(file)) {
    const ip = frame.subarray(ETHERNET_BYTES);
    if (frame.readUInt16BE(12) !== 0x0800 || ip.readUInt8(9) !== 6) continue;
    const tcp = ip.subarray((ip.readUInt8(0) & 0x0f) * 4, ip.readUInt16BE(2) || ip.length);
    if (tcp.readUInt16BE(2) !== LANE_PORT) continue;
    const flow = `${ip.toString('latin1', 12, 20)}${tcp.readUInt16BE(0)}`;
    if (tcp.readUInt8(13) & SYN) {
      opening.add(flow);
      continue;
    }
    const data = tcp.subarray((tcp.readUInt8(12) >> 4) * 4);
    if (data.length < KID_BYTES || !opening.delete(flow)) continue;
    kids.add(hex(data.subarray(0, KID_BYTES)));
  }
  return [...kids];
}
