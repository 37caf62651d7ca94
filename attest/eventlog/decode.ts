// Event data as something a person can read, by event type. It says nothing of truth: the type of an
// event is never measured and its data not always (coverage.ts). It never throws on bad data.
import { hex } from '#agent/base/bytes.ts';
import { parseBlob, parseHandoffTables, type HandoffTables } from './blob.ts';
import { BLOCK_HEADER_BYTES, coverageOf, labelOf, type Coverage } from './coverage.ts';
import { parsePartitionTable, type PartitionTable } from './gpt.ts';
import { guidText } from './guid.ts';
import { parseImageLoad } from './imageLoad.ts';
import { parseStatement, type Statement } from './noAction.ts';
import { nonHostInfo } from './nonHost.ts';
import type { EventLog, LogEvent } from './parse.ts';
import { ifReadable } from './readable.ts';
import { parseTagged } from './tagged.ts';
import { looksUtf16, utf16Text, utf8Text } from './text.ts';
import { eventTypeName } from './types.ts';
import { parseVariable } from './variable.ts';
import { variableValue, type VariableValue } from './variableValue.ts';

/** Event data, read. JSON-ready: sizes and addresses beyond 2^53 are decimal text. */
export type Decoded =
  | Statement
  | { readonly kind: 'separator'; readonly value: string }
  | {
      readonly kind: 'variable';
      readonly guid: string;
      readonly name: string;
      readonly value: VariableValue;
    }
  | {
      readonly kind: 'image';
      readonly sizeBytes: string;
      /** Device path; null when the event has none that can be read. */
      readonly path: string | null;
      readonly file: string | null;
    }
  | ({ readonly kind: 'partitions' } & PartitionTable)
  | {
      readonly kind: 'firmware';
      readonly description: string;
      readonly base: string;
      readonly sizeBytes: string;
    }
  | ({ readonly kind: 'tables' } & HandoffTables)
  /** A line of a boot loader: `kernel_cmdline`, then the line. */
  | { readonly kind: 'command'; readonly label: string; readonly text: string }
  | { readonly kind: 'tag'; readonly name: string; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'guid'; readonly guid: string }
  | { readonly kind: 'bytes'; readonly sizeBytes: number; readonly hex: string }
  /** Not what the type says it is. */
  | { readonly kind: 'unreadable'; readonly sizeBytes: number; readonly hex: string };

/** An event with what its digests cover and what its data says. */
export interface ReadEvent extends LogEvent {
  readonly coverage: Coverage;
  readonly decoded: Decoded;
}

/** Every event of a log, read. */
export const readEvents = ({ events }: EventLog): ReadEvent[] => events.map(readEvent);

/** One event, read. */
export function readEvent(event: LogEvent): ReadEvent {
  const coverage = coverageOf(event);
  const data = coverage.part === 'shortened' ? coverage.measured : event.data;
  const decoded = ifReadable(() => decode(eventTypeName(event.type), data));
  return { ...event, coverage, decoded: decoded ?? shownBytes('unreadable', data) };
}

function decode(type: string, data: Buffer): Decoded {
  switch (type) {
    case 'EV_NO_ACTION':
      return parseStatement(data);
    case 'EV_SEPARATOR':
      return { kind: 'separator', value: hex(data.subarray(0, SHOWN_BYTES)) };
    case 'EV_EFI_VARIABLE_DRIVER_CONFIG':
    case 'EV_EFI_VARIABLE_BOOT':
    case 'EV_EFI_VARIABLE_BOOT2':
      return variable(data, false);
    case 'EV_EFI_VARIABLE_AUTHORITY':
      return variable(data, true);
    case 'EV_EFI_BOOT_SERVICES_APPLICATION':
    case 'EV_EFI_BOOT_SERVICES_DRIVER':
    case 'EV_EFI_RUNTIME_SERVICES_DRIVER':
      return image(data);
    case 'EV_EFI_GPT_EVENT':
    case 'EV_EFI_GPT_EVENT2':
      return { kind: 'partitions', ...parsePartitionTable(data) };
    case 'EV_EFI_PLATFORM_FIRMWARE_BLOB':
      return firmware(data, false);
    case 'EV_EFI_PLATFORM_FIRMWARE_BLOB2':
    case 'EV_POST_CODE2':
      return firmware(data, true);
    case 'EV_EFI_HANDOFF_TABLES':
    case 'EV_EFI_HANDOFF_TABLES2':
      return { kind: 'tables', ...parseHandoffTables(data, type.endsWith('2')) };
    case 'EV_EVENT_TAG':
      return { kind: 'tag', ...parseTagged(data) };
    case 'EV_IPL':
      return line(data);
    case 'EV_NONHOST_INFO':
      return { kind: 'text', text: nonHostInfo(data) };
    case 'EV_PLATFORM_CONFIG_FLAGS':
      return block(data) ?? codeOrText(type, data);
    default:
      return codeOrText(type, data);
  }
}

function variable(data: Buffer, authority: boolean): Decoded {
  const read = parseVariable(data);
  return {
    kind: 'variable',
    guid: read.guid,
    name: read.name,
    value: variableValue(read, authority),
  };
}

function image(data: Buffer): Decoded {
  const { sizeBytes, path } = parseImageLoad(data);
  return {
    kind: 'image',
    sizeBytes: String(sizeBytes),
    path: path?.text ?? null,
    file: path?.file ?? null,
  };
}

function firmware(data: Buffer, described: boolean): Decoded {
  const { description, base, sizeBytes } = parseBlob(data, described);
  return {
    kind: 'firmware',
    description,
    base: `0x${base.toString(16)}`,
    sizeBytes: String(sizeBytes),
  };
}

/** GRUB writes `label: text`, everybody else the text, systemd in UTF-16. */
function line(data: Buffer): Decoded {
  const label = labelOf(data);
  if (label !== '') {
    const text = utf8Text(data.subarray(label.length));
    return { kind: 'command', label: label.replace(/^grub_(?!cmd)|:? $/g, ''), text };
  }
  const text = textOf(data);
  return text === undefined ? shownBytes('bytes', data) : { kind: 'text', text };
}

/** td-shim's block: its name, then the text in it, which is what is measured. */
function block(data: Buffer): Decoded | undefined {
  const label = textOf(data.subarray(0, BLOCK_NAME_BYTES));
  const text = textOf(data.subarray(BLOCK_HEADER_BYTES));
  return label === undefined || text === undefined ? undefined : { kind: 'command', label, text };
}

/** Descriptions hold a text, or 16 bytes of where the code lies; a version may be a GUID instead. */
function codeOrText(type: string, data: Buffer): Decoded {
  const text = textOf(data);
  if (text !== undefined) return { kind: 'text', text };
  if (data.length !== BLOB_BYTES) return shownBytes('bytes', data);
  return type === 'EV_S_CRTM_VERSION'
    ? { kind: 'guid', guid: guidText(data) }
    : firmware(data, false);
}

/** UEFI_PLATFORM_FIRMWARE_BLOB without description. */
const BLOB_BYTES = 16;
const SHOWN_BYTES = 64;
/** Of a block's header, the part that names it. */
const BLOCK_NAME_BYTES = 16;
/** Text as firmware writes it: printable ASCII and blanks, then any padding of NULs. */
const ASCII_TEXT = /^[\t\n\r\x20-\x7e]+\0*$/;
const UTF16_TEXT = /^[\t\n\r\x20-\u{d7ff}]+\0*$/u;

function textOf(data: Buffer): string | undefined {
  if (ASCII_TEXT.test(data.toString('latin1'))) return utf8Text(data);
  if (data.length % 2 !== 0 || !looksUtf16(data)) return undefined;
  return UTF16_TEXT.test(data.toString('utf16le')) ? utf16Text(data) : undefined;
}

const shownBytes = (kind: 'bytes' | 'unreadable', data: Buffer): Decoded => ({
  kind,
  sizeBytes: data.length,
  hex: hex(data.subarray(0, SHOWN_BYTES)),
});
