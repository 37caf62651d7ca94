// Reads manifests of reference values, CoRIM and CoMID, into words: names for labels, hex for bytes. Who
// stands behind a manifest is for judge.ts; what is unknown in it is shown and not left out.
import type { Bytes } from '#agent/base/bytes.ts';
import { hex } from '#agent/base/bytes.ts';
import type { Json } from '#agent/base/jcs.ts';
import {
  CborFloat,
  CborTag,
  decodeCbor,
  type CborMap,
  type CborValue,
} from '#attest/cbor/decode.ts';
import { malformed } from '#attest/cursor.ts';
import { objectIdentifier } from '#attest/x509/extension.ts';
import { COMID, CORIM, HASH_NAMES, TAG, type Shape } from './labels.ts';

const WHAT = 'manifest';

/** The CoRIM in `value`, tagged as one, or the bare CoMID that it is. Errors: EVIDENCE_MALFORMED. */
export function readManifest(value: CborValue): { readonly [kind: string]: Json } {
  if (value instanceof CborTag) {
    switch (value.tag) {
      case TAG.corimChoice:
        return readManifest(value.value);
      case TAG.corim:
        return { corim: shaped(value.value, CORIM, 'corim') };
      case TAG.comid:
        return { comid: embedded(value.value) };
      default:
        throw malformed(WHAT, `CBOR tag ${value.tag} is neither of CoRIM nor of CoMID`);
    }
  }
  return { comid: shaped(value, COMID, 'comid') };
}

/** A CoMID as the byte string inside a CoRIM. */
function embedded(value: CborValue): Json {
  if (!Buffer.isBuffer(value)) throw malformed(WHAT, 'a tag in it is no byte string');
  return shaped(decodeCbor(value, 'CoMID'), COMID, 'comid');
}

/** `value` as `shape` says; `where` names it in errors. */
function shaped(value: CborValue, shape: Shape, where: string): Json {
  switch (shape.kind) {
    case 'any':
      return rendered(value);
    case 'id':
      return Buffer.isBuffer(value) && value.length === UUID_BYTES ? uuid(value) : rendered(value);
    case 'name':
      return (typeof value === 'number' ? shape.names[value] : undefined) ?? rendered(value);
    case 'tag':
      return value instanceof CborTag && value.tag === TAG.comid
        ? { comid: embedded(value.value) }
        : rendered(value);
    case 'digest':
      return digest(arrayOf(value, where), where);
    case 'list':
      return arrayOf(value, where).map((each) => shaped(each, shape.of, where));
    case 'record': {
      const items = arrayOf(value, where);
      if (items.length !== shape.of.length) throw malformed(WHAT, `${where} has another length`);
      return Object.fromEntries(
        shape.of.map(([name, of], i) => [name, shaped(items[i], of, `${where} ${name}`)]),
      );
    }
    case 'map':
      return members(mapOf(value, where), shape, where);
  }
}

function members(
  map: CborMap,
  { members: known, required }: Extract<Shape, { kind: 'map' }>,
  where: string,
): Json {
  const missing = required.find((label) => !map.has(label));
  if (missing !== undefined) {
    throw malformed(WHAT, `${where} has no ${known[missing]?.[0] ?? missing}`);
  }
  return Object.fromEntries(
    Array.from(map, ([label, value]) => {
      const [name, shape] = (typeof label === 'number' ? known[label] : undefined) ?? [];
      return name === undefined || shape === undefined
        ? [`extension ${label}`, rendered(value)]
        : [name, shaped(value, shape, `${where} ${name}`)];
    }),
  );
}

function arrayOf(value: CborValue, where: string): readonly CborValue[] {
  if (Array.isArray(value)) return value as readonly CborValue[];
  throw malformed(WHAT, `${where} is no list`);
}

function mapOf(value: CborValue, where: string): CborMap {
  if (value instanceof Map) return value as CborMap;
  throw malformed(WHAT, `${where} is no map`);
}

function digest([alg, value, ...more]: readonly CborValue[], where: string): Json {
  const named = typeof alg === 'number' || typeof alg === 'string';
  if (!named || !Buffer.isBuffer(value) || more.length > 0) {
    throw malformed(WHAT, `${where} has a digest that is not [algorithm, bytes]`);
  }
  return { alg: (typeof alg === 'number' ? HASH_NAMES[alg] : alg) ?? alg, value: hex(value) };
}

/** Any item in JSON: bytes in hex, what JSON cannot carry as text, unknown tags with their number. */
function rendered(value: CborValue): Json {
  if (value instanceof CborTag) return tagged(value);
  if (value instanceof CborFloat)
    return Number.isFinite(value.float) ? value.float : String(value.float);
  if (value instanceof Map) {
    const entries = Array.from(
      value as CborMap,
      ([key, of]) => [String(key), rendered(of)] as const,
    );
    return Object.fromEntries(entries);
  }
  if (Buffer.isBuffer(value)) return hex(value);
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(rendered);
  if (typeof value === 'bigint') return String(value);
  if (value === undefined) return 'undefined';
  return value as string | number | boolean | null; // nothing else is left
}

function tagged({ tag, value }: CborTag): Json {
  switch (tag) {
    case TAG.uri:
    case TAG.ueid:
    case TAG.bytes:
      return rendered(value);
    case TAG.time:
      return typeof value === 'number' ? isoTime(value) : rendered(value);
    case TAG.uuid:
      return Buffer.isBuffer(value) ? uuid(value) : rendered(value);
    case TAG.oid:
      return Buffer.isBuffer(value) ? oid(value) : rendered(value);
    case TAG.svn:
      return { svn: rendered(value) };
    case TAG.minSvn:
      return { 'min-svn': rendered(value) };
    case TAG.coswid:
      return { coswid: rendered(value) };
    default:
      return { tag: typeof tag === 'bigint' ? String(tag) : tag, value: rendered(value) };
  }
}

const UUID_BYTES = 16;

/** RFC 9562 4. */
const uuid = (bytes: Bytes): string =>
  hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const OBJECT_IDENTIFIER = 0x06;

/** RFC 9090 2: the contents of a BER object identifier. */
const oid = (content: Buffer): string =>
  objectIdentifier({ tag: OBJECT_IDENTIFIER, content, raw: content });

/** The last second that a Date can name. */
const MAX_UNIX_S = 8.64e12;

const isoTime = (unixS: number): Json =>
  Math.abs(unixS) <= MAX_UNIX_S ? new Date(unixS * 1000).toISOString() : unixS;
