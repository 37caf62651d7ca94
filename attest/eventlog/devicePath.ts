// EFI device paths as text (UEFI 2.10, 10.3 and 10.6): where an image or a boot option lies. Nodes that
// are not listed come out as `Path(type,subtype,hex)`; nothing is looked up.
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { GUID_BYTES, guidText } from './guid.ts';
import { utf16Text, utf8Text } from './text.ts';

/** Nodes of one path; real ones have at most ten. */
const MAX_NODES = 64;
const NODE_HEADER_BYTES = 4;
const END = 0x7f;
const END_ENTIRE = 0xff;
const FILE_PATH = 0x0404;
/** Bytes of an unknown node that its text shows. */
const SHOWN_BYTES = 64;

/** A device path as text. */
export interface DevicePath {
  /** `PciRoot(0x0)/Pci(0x1,0x0)/HD(1,GPT,...)/\EFI\BOOT\BOOTX64.EFI`. */
  readonly text: string;
  /** Its file name alone, `\EFI\BOOT\BOOTX64.EFI`; undefined when it names none. */
  readonly file: string | undefined;
}

/** Reads one path to its end node or the end of the bytes. Errors: EVIDENCE_MALFORMED. */
export function parseDevicePath(bytes: Bytes): DevicePath {
  const cursor = new Cursor(bytes, 'EFI device path');
  const texts: string[] = [];
  const files: string[] = [];
  while (cursor.remaining > 0) {
    if (texts.length === MAX_NODES) cursor.fail(`more than ${MAX_NODES} nodes`);
    const type = cursor.u8();
    const subtype = cursor.u8();
    const size = cursor.u16le();
    if (size < NODE_HEADER_BYTES) cursor.fail(`a node of ${size} bytes`);
    const data = cursor.take(size - NODE_HEADER_BYTES);
    if (type === END && subtype === END_ENTIRE) break;
    const kind = (type << 8) | subtype;
    const text = nodeText(kind, data);
    texts.push(text);
    if (kind === FILE_PATH) files.push(text);
  }
  return { text: texts.join('/'), file: files.length > 0 ? files.join('\\') : undefined };
}

type NodeText = (node: Cursor) => string;

const h = (n: number | bigint): string => `0x${n.toString(16)}`;
const guid = (node: Cursor): string => guidText(node.take(GUID_BYTES)).toUpperCase();
const vendor =
  (name: string): NodeText =>
  (node) =>
    `${name}(${guid(node)},${shown(node)})`;
const named =
  (name: string): NodeText =>
  (node) =>
    `${name}(${guid(node)})`;
const shown = (node: Cursor): string => hex(node.peekRest().subarray(0, SHOWN_BYTES));

/** By type and subtype (UEFI 2.10, tables 10.2 to 10.70). */
const NODES: ReadonlyMap<number, NodeText> = new Map<number, NodeText>([
  [0x0101, pci],
  [0x0104, vendor('VenHw')],
  [0x0201, acpi],
  [0x0203, (node) => `AcpiAdr(${h(node.u32le())})`],
  [0x0301, (node) => `Ata(${node.u8()},${node.u8()},${node.u16le()})`],
  [0x0302, (node) => `Scsi(${h(node.u16le())},${h(node.u16le())})`],
  [0x0305, (node) => `USB(${h(node.u8())},${h(node.u8())})`],
  [0x030a, vendor('VenMsg')],
  [0x030b, mac],
  [0x030c, (node) => `IPv4(${remoteOf(node, 4).join('.')})`],
  [0x030d, (node) => `IPv6(${hex(remoteOf(node, 16))})`],
  [0x0312, (node) => `Sata(${h(node.u16le())},${h(node.u16le())},${h(node.u16le())})`],
  [0x0314, (node) => `Vlan(${node.u16le()})`],
  [0x0317, (node) => `NVMe(${h(node.u32le())},${hex(node.take(8).toReversed())})`],
  [0x0318, (node) => `Uri(${utf8Text(node.peekRest())})`],
  [0x0401, hardDrive],
  [0x0402, (node) => `CDROM(${h(node.u32le())})`],
  [0x0403, vendor('VenMedia')],
  [FILE_PATH, (node) => utf16Text(node.peekRest())],
  [0x0405, named('Media')],
  [0x0406, named('FvFile')],
  [0x0407, named('Fv')],
  [0x0408, offset],
  [0x0501, (node) => `BBS(${h(node.u16le())},${utf8Text(node.peekRest().subarray(2))})`],
]);

function nodeText(kind: number, data: Buffer): string {
  const known = NODES.get(kind);
  if (known !== undefined) return known(new Cursor(data, 'EFI device path node'));
  return `Path(${kind >> 8},${kind & 0xff},${hex(data.subarray(0, SHOWN_BYTES))})`;
}

/** Function, then device; written the other way round (10.3.2.1). */
function pci(node: Cursor): string {
  const [fn, device] = [node.u8(), node.u8()];
  return `Pci(${h(device)},${h(fn)})`;
}

const PCI_ROOTS: ReadonlyMap<number, string> = new Map([
  [0x0a03_41d0, 'PciRoot'],
  [0x0a08_41d0, 'PcieRoot'],
]);

function acpi(node: Cursor): string {
  const [hid, uid] = [node.u32le(), node.u32le()];
  const root = PCI_ROOTS.get(hid);
  return root === undefined ? `Acpi(${h(hid)},${h(uid)})` : `${root}(${h(uid)})`;
}

/** 32 bytes of padded address, then the interface type (10.3.4.11). */
function mac(node: Cursor): string {
  const address = node.take(32);
  const type = node.u8();
  return `MAC(${hex(type <= 1 ? address.subarray(0, 6) : address)},${h(type)})`;
}

/** The local address, then the remote one, which a boot from the network names (10.3.4.12). */
function remoteOf(node: Cursor, addressBytes: number): Buffer {
  node.take(addressBytes);
  return node.take(addressBytes);
}

/** PartitionFormat 2 is GPT, 1 is MBR (10.3.5.1). */
const GPT = 2;

function hardDrive(node: Cursor): string {
  const partition = node.u32le();
  const [start, blocks] = [node.u64le(), node.u64le()];
  const signature = node.take(GUID_BYTES);
  const form = node.u8();
  const name =
    form === GPT
      ? `GPT,${guidText(signature).toUpperCase()}`
      : `MBR,${h(signature.readUInt32LE())}`;
  return `HD(${partition},${name},${h(start)},${h(blocks)})`;
}

function offset(node: Cursor): string {
  node.u32le(); // reserved
  return `Offset(${h(node.u64le())},${h(node.u64le())})`;
}
