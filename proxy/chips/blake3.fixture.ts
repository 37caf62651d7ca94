// A second implementation of BLAKE3's derive_key mode, written from its paper alone, for inputs of one chunk
// and 32 bytes of output: the test of the registry compares @noble/hashes with it.
import { Buffer } from 'node:buffer';

const IV = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
] as const;
/** Message words of the next round (paper 2.2, table 2). */
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8] as const;
/** Columns, then diagonals: which words of the state each quarter mixes. */
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;
const ROUNDS = 7;
const BLOCK_BYTES = 64;
const CHUNK_BYTES = 1024;
const FLAG = { chunkStart: 1, chunkEnd: 2, root: 8, context: 32, material: 64 } as const;

/** `derive_key(context, material)` (paper 2.3), 32 bytes. Errors: RangeError over one chunk. */
export function deriveKey(context: Uint8Array, material: Uint8Array): Buffer {
  return hash(words(hash(IV, context, FLAG.context)), material, FLAG.material);
}

const words = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / 4 }, (_, n) => bytes.readUInt32LE(4 * n));

function hash(key: readonly number[], input: Uint8Array, mode: number): Buffer {
  if (input.length > CHUNK_BYTES) throw new RangeError('more than one chunk');
  const blocks = Math.max(1, Math.ceil(input.length / BLOCK_BYTES));
  let chaining = key;
  for (let n = 0; n < blocks; n += 1) {
    const part = input.subarray(n * BLOCK_BYTES, (n + 1) * BLOCK_BYTES);
    const start = n === 0 ? FLAG.chunkStart : 0;
    const end = n === blocks - 1 ? FLAG.chunkEnd | FLAG.root : 0;
    chaining = compress(chaining, part, mode | start | end);
  }
  const out = Buffer.alloc(32);
  chaining.forEach((word, n) => out.writeUInt32LE(word, 4 * n));
  return out;
}

/** The first half of the output of the compression function (paper 2.2), with chunk counter 0. */
function compress(chaining: readonly number[], part: Uint8Array, flags: number): number[] {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(part);
  let message = words(block);
  const state = new Uint32Array([...chaining, ...IV.slice(0, 4), 0, 0, part.length, flags]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [n, quarter] of QUARTERS.entries()) {
      mix(state, quarter, message[2 * n] ?? 0, message[2 * n + 1] ?? 0);
    }
    const before = message;
    message = PERMUTATION.map((at) => before[at] ?? 0);
  }
  return Array.from(state.subarray(0, 8), (word, n) => (word ^ (state[n + 8] ?? 0)) >>> 0);
}

function mix(state: Uint32Array, quarter: readonly number[], x: number, y: number): void {
  const [a = 0, b = 0, c = 0, d = 0] = quarter;
  const add = (at: number, ...values: readonly number[]): void => {
    for (const value of values) state[at] = (state[at] ?? 0) + value;
  };
  const turn = (at: number, by: number, bits: number): void => {
    const word = (state[at] ?? 0) ^ (state[by] ?? 0);
    state[at] = (word >>> bits) | (word << (32 - bits));
  };
  for (const [word, first, second] of [
    [x, 16, 12],
    [y, 8, 7],
  ] as const) {
    add(a, state[b] ?? 0, word);
    turn(d, a, first);
    add(c, state[d] ?? 0);
    turn(b, c, second);
  }
}
