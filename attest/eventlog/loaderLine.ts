// Lines that boot loaders measure under EV_IPL (UAPI Linux TPM PCR registry): command lines, files,
// sections of a unified kernel image, shim's lists. Which they are, only their text and register say.
import { utf8 } from '#agent/base/bytes.ts';
import type { ReadEvent } from './decode.ts';
import type { Registers } from './registers.ts';
import { measures } from './replay.ts';
import { eventTypeName } from './types.ts';

/** Labels under which boot loaders measure the command line of a kernel. */
const COMMAND_LINE_LABELS: ReadonlySet<string> = new Set(['kernel_cmdline', 'td_payload_info']);
/** systemd measures it without a label, to PCR 8 before version 251 and to PCR 12 since. */
const COMMAND_LINE_PCRS = [8, 12];
const UKI_PCR = 11;

/** The text of a line without a label; empty when the event is none. */
export const lineOf = ({ type, decoded }: ReadEvent): string =>
  eventTypeName(type) === 'EV_IPL' && decoded.kind === 'text' ? decoded.text : '';

/** The kernel command line that the event logs; undefined when it is of something else. */
export function commandLine(event: ReadEvent, registers: Registers): string | undefined {
  const { decoded, pcr, coverage } = event;
  if (decoded.kind === 'command') {
    return COMMAND_LINE_LABELS.has(decoded.label) ? decoded.text : undefined;
  }
  const line = lineOf(event);
  // In a guest's registers these share one with files and sections, which do not measure their text.
  const fits = coverage.part !== 'none' && COMMAND_LINE_PCRS.map(registers.holding).includes(pcr);
  return fits && line !== '' ? line : undefined;
}

/** True for shim's lists of machine owner keys. */
export const isMokList = (event: ReadEvent): boolean => /^MokList(X|Trusted)?$/.test(lineOf(event));

/** GRUB names a file by its path, with the device in brackets; Red Hat's `linuxefi` says what it is. */
export const isFile = (event: ReadEvent): boolean =>
  event.coverage.part === 'none' && /^([(/]|grub_linuxefi )/.test(lineOf(event));

/** systemd-stub measures the name of each section, then its contents, both under the name. */
export const isSection = (event: ReadEvent, registers: Registers): boolean =>
  event.pcr === registers.holding(UKI_PCR) &&
  /^\.[a-z0-9]{2,8}$/.test(lineOf(event)) &&
  !measures(event, utf8(`${lineOf(event)}\0`));
