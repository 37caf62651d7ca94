// UEFI_IMAGE_LOAD_EVENT (Firmware Profile 1.06, 10.2.3): a boot loader, driver or option ROM that was
// loaded. Its digest is that of the image, so everything here only describes.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { parseDevicePath, type DevicePath } from './devicePath.ts';
import { ifReadable } from './readable.ts';

/** Size and place of an image. */
export interface ImageLoad {
  /** Bytes of the image in memory. */
  readonly sizeBytes: bigint;
  /** Undefined when it was loaded from memory, or by a boot loader that names no path. */
  readonly path: DevicePath | undefined;
}

/** Reads it; older shim writes a few bytes after an empty path. Errors: EVIDENCE_MALFORMED. */
export function parseImageLoad(data: Bytes): ImageLoad {
  const cursor = new Cursor(data, 'image load event');
  cursor.u64le(); // where in memory it was
  const sizeBytes = cursor.u64le();
  cursor.u64le(); // where the linker wanted it
  const pathBytes = cursor.u64le();
  if (pathBytes > BigInt(cursor.remaining)) cursor.fail(`a path of ${pathBytes} bytes`);
  const path = cursor.take(Number(pathBytes));
  return {
    sizeBytes,
    path: path.length > 0 ? ifReadable(() => parseDevicePath(path)) : undefined,
  };
}
