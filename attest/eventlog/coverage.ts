// What of an event's data its digests cover (ATTESTATION trap 1). The type promises it; firmware and
// boot loaders depart from the promise in a few known ways, and what fits none of them is not covered.
import { concat, type Bytes } from '#agent/base/bytes.ts';
import type { LogEvent } from './parse.ts';
import { ifReadable } from './readable.ts';
import { isDataCovered, measures } from './replay.ts';
import { EV_NO_ACTION, eventTypeName } from './types.ts';
import { parseVariable } from './variable.ts';

/** What the digests of an event cover. */
export interface Coverage {
  /**
   * `whole`: the data. `text`: what follows the label of a boot loader's line. `contents`: those of a
   * variable or block, without its name. `shortened`: all but a byte too many or too few at the end
   * (shim 15, rhboot/shim issue 184; older systemd-boot). `none`: nothing, the data only describes.
   */
  readonly part: 'whole' | 'text' | 'contents' | 'shortened' | 'none';
  /** The bytes that were measured, as far as the log carries them; empty for `none`. */
  readonly measured: Buffer;
}

const NONE: Coverage = { part: 'none', measured: Buffer.alloc(0) };
const NUL = Uint8Array.of(0);
/** `grub_cmd: `, `kernel_cmdline: `; Red Hat's GRUB writes `grub_kernel_cmdline ` without the colon. */
const LABEL = /^(?:grub_)?(?:cmd|kernel_cmdline|module_cmdline):? /;
const LONGEST_LABEL = 24;
/** td-shim's configuration block: a name of 16 bytes, a 4-byte length, then what is measured. */
export const BLOCK_HEADER_BYTES = 20;

/** Tells it by every bank of the event that Tidelock knows: all of them must agree. */
export function coverageOf(event: LogEvent): Coverage {
  const { data } = event;
  if (event.type === EV_NO_ACTION) return NONE;
  if (isDataCovered(event)) return { part: 'whole', measured: data };
  switch (eventTypeName(event.type)) {
    case 'EV_IPL': {
      const text = data.subarray(labelOf(data).length);
      const bare = text.at(-1) === 0 ? text.subarray(0, -1) : text;
      return (
        covered(event, 'text', text) ??
        covered(event, 'text', bare) ??
        covered(event, 'shortened', concat(data, NUL)) ??
        NONE
      );
    }
    case 'EV_EFI_VARIABLE_AUTHORITY':
      return covered(event, 'shortened', data.subarray(0, -1)) ?? NONE;
    case 'EV_EFI_VARIABLE_BOOT': {
      const variable = ifReadable(() => parseVariable(data));
      return (variable && covered(event, 'contents', variable.contents)) ?? NONE;
    }
    case 'EV_PLATFORM_CONFIG_FLAGS':
      return covered(event, 'contents', data.subarray(BLOCK_HEADER_BYTES)) ?? NONE;
    default:
      return NONE;
  }
}

/** The label that opens a boot loader's line, with its colon and blank; empty when there is none. */
export const labelOf = (data: Bytes): string =>
  LABEL.exec(Buffer.from(data.subarray(0, LONGEST_LABEL)).toString('latin1'))?.[0] ?? '';

const covered = (
  event: LogEvent,
  part: Coverage['part'],
  measured: Buffer,
): Coverage | undefined => (measures(event, measured) ? { part, measured } : undefined);
