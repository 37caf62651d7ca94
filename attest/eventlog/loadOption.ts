// EFI_LOAD_OPTION (UEFI 2.10, 3.1.3): the contents of a Boot#### variable.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { parseDevicePath, type DevicePath } from './devicePath.ts';
import { utf16Text } from './text.ts';

const ACTIVE = 0x0000_0001;

/** A boot option. */
export interface LoadOption {
  readonly active: boolean;
  readonly description: string;
  /** The first path of its list, which is the one that boots. */
  readonly path: DevicePath;
}

/** Reads it. Errors: EVIDENCE_MALFORMED. */
export function parseLoadOption(contents: Bytes): LoadOption {
  const cursor = new Cursor(contents, 'EFI load option');
  const attributes = cursor.u32le();
  const pathBytes = cursor.u16le();
  const rest = cursor.peekRest();
  const description = utf16Text(rest);
  const end = endOfUtf16(rest);
  if (end === undefined) return cursor.fail('a description without end');
  cursor.take(end);
  return {
    active: (attributes & ACTIVE) !== 0,
    description,
    path: parseDevicePath(cursor.take(pathBytes)),
  };
}

/** Bytes up to and with the NUL of a UTF-16 string. */
function endOfUtf16(bytes: Buffer): number | undefined {
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    if (bytes[at] === 0 && bytes[at + 1] === 0) return at + 2;
  }
  return undefined;
}
