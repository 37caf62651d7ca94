// PROTOCOL 6.1 and 6.2: a whole opening, written and read by steps 1 to 5, and the answer that its mode
// alone decides (8). Replay, MAID, inventory and policy are of a running node.
import { gcm } from '@noble/ciphers/aes.js';
import { Cursor, hex, join, same, truncate } from './bytes.ts';
import {
  BLOCK_MAX_BYTES,
  openBlockJson,
  openBlockOf,
  readOpenBlock,
  STEP_BYTES,
  writeHeader,
  writeOpenBlock,
  type OpenBlock,
} from './blocks.ts';
import { algorithmOf, headerKeyOf, kidOf, laneSecretOf } from './chains.ts';
import { framesOf, sealFrames } from './frames.ts';
import { refuse, refusedUnder } from './refused.ts';
import {
  aeadOf,
  earlyOf,
  frameKeysOf,
  nonceOf,
  opened,
  transcriptOf,
  type Aead,
  type Lane,
} from './secrets.ts';
import { endOf } from './statements.ts';
import type { Given, Rows } from './vectors.ts';

const TAG_BYTES = 16;
const MODE_TUNNEL = 1;
const MODE_CANARY = 3;
const CODE_MODE = 5;

/** What both ends know before an opening. */
export interface Known extends Lane {
  readonly pair: Uint8Array;
  readonly chain: Uint8Array;
  readonly suite: number;
  readonly periodMs: number;
  readonly slot: number;
}

const knownOf = (given: Given): Known => ({
  domain: given.text('domain'),
  cluster: given.text('cluster'),
  source: endOf(given.object('source')),
  receiver: endOf(given.object('receiver')),
  pair: given.bytes('pair'),
  chain: given.bytes('chain'),
  suite: algorithmOf(given.number('algorithm')).suite,
  periodMs: given.number('periodMs'),
  slot: given.number('slot'),
});

/** The AEAD of the header, under kid and salt. */
const outerAead = (known: Known, kid: Uint8Array, salt: Uint8Array): Aead =>
  gcm(headerKeyOf(known.chain, known.receiver), truncate(12, salt), join(kid, salt));

/** The AEAD of an open block, under the secret of early data and all that stands before it. */
function blockAead(suite: number, early: Uint8Array, before: Uint8Array): Aead {
  const { key, iv } = frameKeysOf(early);
  return aeadOf(suite, key, nonceOf(iv, 0), before);
}

/** An opening as a receiver reads it, the secrets that it leads to, and what came behind it. */
export interface ReadOpening {
  readonly block: OpenBlock;
  readonly ls: Uint8Array;
  readonly transcript: Uint8Array;
  readonly early: Uint8Array;
  readonly behind: Uint8Array;
}

/** The opening at the beginning of a stream, by steps 1 to 5 of 6.2. */
export function readOpening(known: Known, stream: Uint8Array): ReadOpening {
  const cursor = new Cursor(stream, '6.2 step 1');
  const kid = cursor.take(8);
  const salt = cursor.take(16);
  const outer = cursor.take(30);
  if (!same(kid, kidOf(known.chain, known.receiver))) refuse('6.2 step 1', 'an unknown kid');

  const header = opened('6.2 step 2', outerAead(known, kid, salt), outer);
  const { srcRef, openLen } = readHeader(header, known.suite);

  const fits = same(srcRef, truncate(8, known.source.sid));
  if (!fits || same(known.source.sid, known.receiver.sid)) refuse('6.2 step 3', 'the source');

  const transcript = transcriptOf(known, kid, salt, header);
  const ls = laneSecretOf(known.chain, known.pair);
  const early = earlyOf(ls, transcript);
  const aead = blockAead(known.suite, early, join(kid, salt, outer));
  const sealed = cursor.take(openLen);
  const block = refusedUnder('6.2 step 4', () => readOpenBlock(opened('6.1', aead, sealed)));

  const { slot, periodMs } = known;
  if (block.sentMs < (slot - 1) * periodMs || block.sentMs >= (slot + 2) * periodMs) {
    refuse('6.2 step 5', 'it was sent in another slot');
  }
  return { block, ls, transcript, early, behind: cursor.rest() };
}

/** What the later steps need of a header that stands step 2 under a chain of that suite. */
function readHeader(
  header: Uint8Array,
  chainSuite: number,
): { readonly srcRef: Uint8Array; readonly openLen: number } {
  const cursor = new Cursor(header, '6.2 step 2');
  const [version, suite, flags] = cursor.take(3);
  cursor.take(1); // the mode, which step 7 looks at
  const srcRef = cursor.take(8);
  const openLen = cursor.uint(2);
  const blockLen = openLen - TAG_BYTES;
  if (version !== 1 || suite !== chainSuite || flags !== 0) refuse('6.2 step 2', 'the header');
  if (blockLen < STEP_BYTES || blockLen > BLOCK_MAX_BYTES || blockLen % STEP_BYTES !== 0) {
    refuse('6.2 step 2', 'openLen');
  }
  return { srcRef, openLen };
}

/** Whether an open block is that of a canary (8). */
function isCanary(block: OpenBlock): boolean {
  const empty = new Uint8Array();
  const nowhere = { address: '0.0.0.0', port: 0 };
  return same(
    writeOpenBlock(block),
    writeOpenBlock({
      token: empty,
      endorsement: empty,
      destination: nowhere,
      client: nowhere,
      sentMs: block.sentMs,
      lineage: empty,
    }),
  );
}

/** Whether the mode of an opening alone denies it. */
function isDeniedByMode(mode: number, block: OpenBlock): boolean {
  if (mode === MODE_CANARY) return !isCanary(block);
  return mode !== MODE_TUNNEL;
}

/** The rows of whole openings. */
export const openingRows: Rows = {
  opening: (given) => {
    const known = knownOf(given);
    const mode = given.number('mode');
    const content = openBlockOf(given.object('block'));
    const block = writeOpenBlock(content);
    const salt = given.bytes('salt');
    const kid = kidOf(known.chain, known.receiver);
    const header = writeHeader(known.suite, mode, known.source.sid, block.length + TAG_BYTES);
    const outer = outerAead(known, kid, salt).encrypt(header);
    const ls = laneSecretOf(known.chain, known.pair);
    const transcript = transcriptOf(known, kid, salt, header);
    const early = earlyOf(ls, transcript);
    const before = join(kid, salt, outer);
    const sealed = blockAead(known.suite, early, before).encrypt(block);
    return {
      kid: hex(kid),
      headerKey: hex(headerKeyOf(known.chain, known.receiver)),
      header: hex(header),
      ls: hex(ls),
      transcript: hex(transcript),
      early: hex(early),
      block: hex(block),
      opening: hex(join(before, sealed)),
      frames: sealFrames(known.suite, early, 1, framesOf(given)).map(hex),
      ...(isDeniedByMode(mode, content) && { code: CODE_MODE }),
    };
  },
  readOpening: (given) => ({
    block: openBlockJson(readOpening(knownOf(given), given.bytes('opening')).block),
  }),
};
