// Turns good samples into bad ones: what a broken disk, a cut transfer or an attacker would. Every
// result is new memory, at most MAX_INPUT_BYTES long, and a flood at most MAX_FLOOD_BYTES.
import { mutateJson } from './mutateJson.ts';
import type { Random } from './random.ts';

/** Longer than nearly every real sample; longer ones lose their tail. */
export const MAX_INPUT_BYTES = 128 << 10;
/** What takes too long takes it of long inputs that repeat themselves. */
export const MAX_FLOOD_BYTES = 1 << 20;
const FLOOD_EVERY = 500;
const MAX_EDITS = 4;
/** Where parsers go wrong: around zero, around the sign, all ones. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];
/** Below all of these lies an offset or a length that somebody might add or multiply. */
const LENGTHS = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0xff_ffff, 0x7fff_ffff, 0xffff_ffff];

type Edit = (random: Random, bytes: Buffer, others: readonly Buffer[]) => Buffer;

/** One to four edits of a sample, most often of JSON as such; `others` are what it may be spliced with. */
export function mutate(random: Random, sample: Buffer, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(sample.subarray(0, MAX_INPUT_BYTES));
  const document = random.below(4) > 0 ? mutateJson(random, bytes) : undefined;
  if (document !== undefined) return document.subarray(0, MAX_INPUT_BYTES);
  for (let edits = 1 + random.below(MAX_EDITS); edits > 0; edits -= 1) {
    bytes = random.pick(EDITS)(random, bytes, others);
  }
  const edited = bytes.subarray(0, MAX_INPUT_BYTES);
  return random.below(FLOOD_EVERY) === 0 ? flood(random, edited) : edited;
}

/** A stretch again until the input is 16 KiB to 1 MiB long, then the rest of the sample. */
function flood(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length);
  const lenBytes = random.pick([1, 2, 4, 8, 16, 32, 64, 1 + random.below(256)]);
  const stretch =
    random.below(4) === 0 ? Buffer.alloc(1, random.pick(EDGES)) : bytes.subarray(at, at + lenBytes);
  const room = Math.max(0, 2 ** (14 + random.below(7)) - bytes.length);
  const copies = stretch.length === 0 ? Buffer.alloc(room) : Buffer.alloc(room, stretch);
  return Buffer.concat([bytes.subarray(0, at), copies, bytes.subarray(at)]);
}

const flipBit: Edit = (random, bytes) => {
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes;
};

const setByte: Edit = (random, bytes) => {
  bytes[random.below(bytes.length)] = random.below(3) === 0 ? random.pick(EDGES) : random.u32();
  return bytes;
};

const addToByte: Edit = (random, bytes) => {
  const at = random.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) + 1 + random.below(16) - 8;
  return bytes;
};

const truncate: Edit = (random, bytes) => bytes.subarray(0, random.below(bytes.length));

const insert: Edit = (random, bytes) => {
  const at = random.below(bytes.length + 1);
  const made = Buffer.alloc(1 + random.below(32), random.pick(EDGES));
  if (random.below(2) === 0) made.forEach((_, index) => (made[index] = random.u32()));
  return Buffer.concat([bytes.subarray(0, at), made, bytes.subarray(at)]);
};

const remove: Edit = (random, bytes) => {
  const at = random.below(bytes.length);
  const end = at + 1 + random.below(Math.min(64, bytes.length - at));
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
};

/** A stretch again, once or many times: elements, entries, certificates, brackets. */
const repeat: Edit = (random, bytes) => {
  const at = random.below(bytes.length);
  const stretch = bytes.subarray(at, at + 1 + random.below(256));
  const times = random.below(8) === 0 ? 1 + random.below(100) : 1 + random.below(4);
  const copies = Array.from({ length: times }, () => stretch);
  return Buffer.concat([bytes.subarray(0, at), ...copies, bytes.subarray(at)]);
};

/** A length field, wherever one may be, says something else. */
const setLength: Edit = (random, bytes) => {
  const width = random.pick([1, 2, 4]);
  if (bytes.length < width) return bytes;
  const at = random.below(bytes.length - width + 1);
  const left = bytes.length - at - width;
  const length =
    random.pick([...LENGTHS, left, left + 1, Math.max(0, left - 1)]) % 2 ** (8 * width);
  if (random.below(2) === 0) bytes.writeUIntBE(length, at, width);
  else bytes.writeUIntLE(length, at, width);
  return bytes;
};

const splice: Edit = (random, bytes, others) => {
  const other = random.pick(others);
  const from = random.below(other.length);
  const head = bytes.subarray(0, random.below(bytes.length + 1));
  return Buffer.concat([head, other.subarray(from, from + MAX_INPUT_BYTES)]);
};

/** A stretch of another sample in place of one of this. */
const transplant: Edit = (random, bytes, others) => {
  const other = random.pick(others);
  const from = random.below(other.length);
  const stretch = other.subarray(from, from + 1 + random.below(128));
  const at = random.below(bytes.length);
  return Buffer.concat([bytes.subarray(0, at), stretch, bytes.subarray(at + stretch.length)]);
};

const EDITS: readonly Edit[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  addToByte,
  truncate,
  insert,
  remove,
  repeat,
  setLength,
  setLength,
  splice,
  transplant,
];
