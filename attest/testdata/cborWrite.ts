// Writes CBOR for tests (RFC 8949), deterministically except where a test asks for odd bytes. It shares
// nothing with the decoder that it tests.
import { concat, u16, u32, u64, utf8, type Bytes } from '#agent/base/bytes.ts';

export type Writable =
  | number
  | string
  | boolean
  | null
  | Bytes
  | readonly Writable[]
  | ReadonlyMap<number | string, Writable>
  | { readonly tag: number; readonly of: Writable };

/** One item; integers only. */
export function writeCbor(value: Writable): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === 'string') return concat(head(3, utf8(value).length), utf8(value));
  if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4);
  if (value === null) return Buffer.of(0xf6);
  if (value instanceof Uint8Array) return concat(head(2, value.length), value);
  if (value instanceof Map) {
    const pairs = [...(value as ReadonlyMap<number | string, Writable>)];
    return concat(head(5, pairs.length), ...pairs.flatMap((pair) => pair.map(writeCbor)));
  }
  if ('tag' in value) return concat(head(6, value.tag), writeCbor(value.of));
  const items = value as readonly Writable[];
  return concat(head(4, items.length), ...items.map(writeCbor));
}

function head(major: number, argument: number): Buffer {
  const initial = major << 5;
  if (argument < 24) return Buffer.of(initial | argument);
  if (argument <= 0xff) return Buffer.of(initial | 24, argument);
  if (argument <= 0xffff) return concat(Buffer.of(initial | 25), u16(argument));
  if (argument <= 0xffff_ffff) return concat(Buffer.of(initial | 26), u32(argument));
  return concat(Buffer.of(initial | 27), u64(argument));
}
