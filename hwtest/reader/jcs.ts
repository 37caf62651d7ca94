// JCS (RFC 8785) as its section 3.2 says it: ECMAScript's numbers and strings, members in the order of
// their UTF-16 code units.
import { text } from './bytes.ts';
import { isObject, type Json } from './vectors.ts';

/** The canonical bytes of JSON. */
export const jcs = (value: Json): Uint8Array => text(canonical(value));

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, item]) => `${JSON.stringify(name)}:${canonical(item)}`).join(',')}}`;
}
