// EV_NO_ACTION events: what a log says about itself (Firmware Profile 1.06, 10.4.5). Nothing of them is
// extended, so that they are true only as far as the replay that uses them meets a quote.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { printable } from './text.ts';

/** Every such structure opens with a name of 16 bytes. */
const SIGNATURE_BYTES = 16;
const SPEC_ID = 'Spec ID Event03';
const STARTUP_LOCALITY = 'StartupLocality';

/** What an EV_NO_ACTION event says. */
export type Statement =
  | {
      readonly kind: 'specId';
      /** Of the family that the log is written by: `2.0`. */
      readonly version: string;
      readonly errata: number;
      readonly vendorBytes: number;
    }
  | { readonly kind: 'startupLocality'; readonly locality: number }
  | { readonly kind: 'statement'; readonly name: string };

/** Reads one. Errors: EVIDENCE_MALFORMED. */
export function parseStatement(data: Bytes): Statement {
  const cursor = new Cursor(data, 'EV_NO_ACTION event');
  const [name = ''] = cursor.take(SIGNATURE_BYTES).toString('latin1').split('\0');
  if (name === SPEC_ID) return specId(cursor);
  if (name === STARTUP_LOCALITY) {
    const locality = cursor.u8();
    cursor.end();
    return { kind: 'startupLocality', locality };
  }
  return { kind: 'statement', name: printable(name) };
}

/** TCG_EfiSpecIDEvent, of which parse.ts has taken the algorithms already. */
function specId(cursor: Cursor): Statement {
  cursor.u32le(); // platform class
  const [minor, major, errata] = [cursor.u8(), cursor.u8(), cursor.u8()];
  cursor.u8(); // size of UINTN
  cursor.take(4 * cursor.u32le());
  const vendorBytes = cursor.remaining > 0 ? cursor.u8() : 0;
  return { kind: 'specId', version: `${major}.${minor}`, errata, vendorBytes };
}
