// TCG_PCClientTaggedEvent (Firmware Profile 1.06, 10.2.4): what operating systems measure under
// EV_EVENT_TAG. The digest is that of the object, the tag and its text only describe.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { looksUtf16, utf16Text, utf8Text } from './text.ts';

/** Linux (include/linux/efi.h) and systemd (src/fundamental/tpm2-pcr.h). */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0x8f3b_22ec, 'Linux initrd'],
  [0x8f3b_22ed, 'Linux load options'],
  [0xf5bc_582a, 'loader.conf'],
  [0x6c46_f751, 'device tree add-on'],
  [0x49df_fe0f, 'initrd add-on'],
  [0xdac0_8e1a, 'microcode add-on'],
  [0x13ae_d6db, 'UKI profile'],
]);

/** What was measured, by tag and by text. */
export interface TaggedEvent {
  /** `Linux initrd`, or `0x00010002` for a tag that is not listed. */
  readonly name: string;
  readonly text: string;
}

/** Reads the first tagged event of `data`. Errors: EVIDENCE_MALFORMED. */
export function parseTagged(data: Bytes): TaggedEvent {
  const cursor = new Cursor(data, 'tagged event');
  const id = cursor.u32le();
  const size = cursor.u32le();
  const content = cursor.take(size);
  const name = NAMES.get(id) ?? `0x${id.toString(16).padStart(8, '0')}`;
  return { name, text: looksUtf16(content) ? utf16Text(content) : utf8Text(content) };
}
