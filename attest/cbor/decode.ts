// A CBOR decoder for what outsiders send (RFC 8949): one item, bounded in depth, every length checked
// against what is there before anything is allocated. What an item means is for others to say.
import type { Bytes } from '#agent/base/bytes.ts';
import { Cursor } from '#attest/cursor.ts';
import { printable } from '#attest/printable.ts';

/** Nothing in attestation nests half as deep. */
const MAX_DEPTH = 24;

/** Integers that are safe are numbers, others bigints; byte strings are views unless they came in chunks. */
export type CborValue =
  | number
  | bigint
  | string
  | Buffer
  | boolean
  | null
  | undefined
  | CborFloat
  | CborTag
  | CborMap
  | readonly CborValue[];

/** Keys other than integers and text are refused: nothing in attestation has them. */
export type CborMap = ReadonlyMap<number | bigint | string, CborValue>;

/** Kept apart from integers: 1.0 is no 1 where an integer is asked for. */
export class CborFloat {
  readonly float: number;

  constructor(float: number) {
    this.float = float;
  }
}

/** A tagged item (RFC 8949 3.4). */
export class CborTag {
  readonly tag: number | bigint;
  readonly value: CborValue;

  constructor(tag: number | bigint, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** RFC 8949 3.1 and 3.3. */
const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const;
const SIMPLE: ReadonlyMap<number, boolean | null | undefined> = new Map([
  [20, false],
  [21, true],
  [22, null],
  [23, undefined],
]);
const FLOATS = { half: 25, single: 26, double: 27 } as const;
const INDEFINITE = 31;
const BREAK = 0xff;

/** The one item that `bytes` are; `what` names it in errors. Errors: EVIDENCE_MALFORMED. */
export function decodeCbor(bytes: Bytes, what: string): CborValue {
  const cursor = new Cursor(bytes, what);
  const value = item(cursor, 0);
  cursor.end();
  return value;
}

function item(cursor: Cursor, depth: number): CborValue {
  if (depth > MAX_DEPTH) cursor.fail(`nested over ${MAX_DEPTH} deep`);
  const initial = cursor.u8();
  const [major, info] = [initial >> 5, initial & 0x1f];
  switch (major) {
    case MAJOR.unsigned:
      return argument(cursor, info);
    case MAJOR.negative:
      return negative(argument(cursor, info));
    case MAJOR.bytes:
      return text(cursor, major, info);
    case MAJOR.text:
      return utf8Of(cursor, text(cursor, major, info));
    case MAJOR.array:
      return array(cursor, info, depth);
    case MAJOR.map:
      return map(cursor, info, depth);
    case MAJOR.tag:
      return new CborTag(argument(cursor, info), item(cursor, depth + 1));
    default:
      return simple(cursor, info);
  }
}

/** The argument of an initial byte (RFC 8949 3). */
function argument(cursor: Cursor, info: number): number | bigint {
  if (info < 24) return info;
  switch (info) {
    case 24:
      return cursor.u8();
    case 25:
      return cursor.u16be();
    case 26:
      return cursor.u32be();
    case 27: {
      const wide = cursor.u64be();
      return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
    }
    default:
      return cursor.fail(`additional information ${info}, which RFC 8949 gives no meaning here`);
  }
}

function negative(n: number | bigint): number | bigint {
  const value = -1n - BigInt(n);
  return value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
}

/** How many items or bytes follow; each takes at least one byte, so that a lie is seen at once. */
function count(cursor: Cursor, info: number): number {
  const claimed = argument(cursor, info);
  return claimed <= cursor.remaining
    ? Number(claimed)
    : cursor.fail(`${claimed} wanted at offset ${cursor.offset}, ${cursor.remaining} bytes left`);
}

/** A byte or text string; in chunks each is definite and of the same type (RFC 8949 3.2.3). */
function text(cursor: Cursor, major: number, info: number): Buffer {
  if (info !== INDEFINITE) return cursor.take(count(cursor, info));
  const chunks: Buffer[] = [];
  while (!atBreak(cursor)) {
    const initial = cursor.u8();
    if (initial >> 5 !== major || (initial & 0x1f) === INDEFINITE) {
      cursor.fail('a chunk of another type in a string of indefinite length');
    }
    const chunk = cursor.take(count(cursor, initial & 0x1f));
    if (major === MAJOR.text) utf8Of(cursor, chunk); // a character never spans chunks
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8Of(cursor: Cursor, bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return cursor.fail(`a text before offset ${cursor.offset} that is not UTF-8`);
  }
}

function array(cursor: Cursor, info: number, depth: number): CborValue[] {
  const items: CborValue[] = [];
  const wanted = info === INDEFINITE ? Infinity : count(cursor, info);
  while (items.length < wanted) {
    if (wanted === Infinity && atBreak(cursor)) break;
    items.push(item(cursor, depth + 1));
  }
  return items;
}

function map(cursor: Cursor, info: number, depth: number): CborMap {
  const entries = new Map<number | bigint | string, CborValue>();
  const wanted = info === INDEFINITE ? Infinity : count(cursor, info);
  for (let read = 0; read < wanted; read += 1) {
    if (wanted === Infinity && atBreak(cursor)) break;
    const key = item(cursor, depth + 1);
    if (typeof key !== 'number' && typeof key !== 'bigint' && typeof key !== 'string') {
      return cursor.fail('a map key that is neither an integer nor text');
    }
    if (entries.has(key)) cursor.fail(`map key "${printable(String(key))}" stands twice`);
    entries.set(key, item(cursor, depth + 1));
  }
  return entries;
}

/** Moves past a break, if one is next. */
function atBreak(cursor: Cursor): boolean {
  if (cursor.peekRest()[0] !== BREAK) return false;
  cursor.take(1);
  return true;
}

function simple(cursor: Cursor, info: number): CborValue {
  if (SIMPLE.has(info)) return SIMPLE.get(info);
  switch (info) {
    case FLOATS.half:
      return new CborFloat(halfFloat(cursor.u16be()));
    case FLOATS.single:
      return new CborFloat(cursor.take(4).readFloatBE());
    case FLOATS.double:
      return new CborFloat(cursor.take(8).readDoubleBE());
    default:
      return cursor.fail(`simple value ${info}, which is unassigned or a break out of place`);
  }
}

/** IEEE 754 binary16 (RFC 8949 appendix D). */
function halfFloat(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (mantissa + 1024) * 2 ** (exponent - 25);
}
