// Openings that a receiver must take for noise (PROTOCOL 6.2, steps 1 to 5), each with the step that fails.
// They are sealed by hand where the product would not seal them.
import { concat, truncate, type Bytes } from '#agent/base/bytes.ts';
import { tryOpening } from '#proxy/laneOpening.ts';
import { TAG_BYTES } from '#proxy/see/aead.ts';
import { earlySecret, frameKeys, transcriptOf } from '#proxy/see/keys.ts';
import {
  KID_BYTES,
  MODE,
  PREFIX_BYTES,
  SALT_BYTES,
  encodeBlock,
  encodeHeader,
  sealHeader,
  srcRefOf,
  type OpenBlock,
} from '#proxy/see/opening.ts';
import { FrameSealer } from '#proxy/see/sealer.ts';
import { BAD_BLOCKS, BLOCK, shown } from './blocks.ts';
import { PERIOD_MS, RECEIVER, SENT_MS, SLOT, SOURCE, seed } from './cast.ts';
import { flipped } from './changed.ts';
import { chainUnder, contextUnder, ringsUnder, sendingOf } from './ring.ts';
import type { Vector } from './vector.ts';

const ALGORITHM = 1;
const STEPS = { kid: 1, header: 2, source: 3, block: 4, time: 5 } as const;
type Stage = keyof typeof STEPS;

const rings = ringsUnder(chainUnder(ALGORITHM));

/** An opening whose parts are as given, true or not. */
function sealed(
  change: {
    readonly header?: (plain: Buffer) => void;
    readonly block?: Buffer;
    /** Messages that the early key has sealed before the open block. */
    readonly before?: number;
    /** What the open block is bound to. */
    readonly aad?: (prefix: Buffer) => Bytes;
  } = {},
): Buffer {
  const { kid, headerKey, ls, context, chain } = sendingOf(rings);
  const salt = seed('refused salt', SALT_BYTES);
  const block = change.block ?? encodeBlock(BLOCK);
  const header = encodeHeader({
    suite: 1,
    mode: MODE.tunnel,
    srcRef: srcRefOf(SOURCE.sid),
    openLen: block.length + TAG_BYTES,
  });
  change.header?.(header);
  const prefix = concat(kid, salt, sealHeader(headerKey, kid, salt, header));
  const secret = earlySecret(ls, transcriptOf(kid, salt, header, context));
  const sealer = new FrameSealer(chain.aead, frameKeys(secret));
  for (let n = 0; n < (change.before ?? 0); n += 1) sealer.message(prefix, block);
  return concat(prefix, sealer.message(change.aad?.(prefix) ?? prefix, block));
}

const withOpenLen = (openLen: number): Buffer =>
  concat(
    truncate(PREFIX_BYTES, sealed({ header: (plain) => plain.writeUInt16BE(openLen, 12) })),
    Buffer.alloc(openLen),
  );

const withHeader = (at: number, byte: number): Buffer =>
  sealed({
    header: (plain) => {
      plain[at] = byte;
    },
  });

const withSource = (sid: string): Buffer =>
  sealed({ header: (plain) => plain.set(Buffer.from(sid, 'hex').subarray(0, 8), 4) });

const sentAt = (sentMs: number): Buffer =>
  sealed({ block: encodeBlock({ ...BLOCK, sentMs } satisfies OpenBlock) });

const refusals = (): readonly (readonly [string, Stage, Buffer])[] => [
  ['a changed kid', 'kid', flipped(sealed(), 0)],
  ['a changed salt', 'header', flipped(sealed(), KID_BYTES)],
  [
    'a changed salt, behind what the nonce takes',
    'header',
    flipped(sealed(), KID_BYTES + SALT_BYTES - 1),
  ],
  ['a changed outer', 'header', flipped(sealed(), KID_BYTES + SALT_BYTES)],
  ['a changed tag of outer', 'header', flipped(sealed(), PREFIX_BYTES - 1)],
  ['version 2', 'header', withHeader(0, 2)],
  ['a suite that is not that of the chain', 'header', withHeader(1, 2)],
  ['flags', 'header', withHeader(2, 1)],
  ['openLen of a tag alone', 'header', withOpenLen(16)],
  ['openLen that is no multiple of 64 and a tag', 'header', withOpenLen(16 + 65)],
  ['openLen over 4,096 and a tag', 'header', withOpenLen(16 + 4096 + 64)],
  ['a source that is not known', 'source', withSource('00'.repeat(16))],
  ['the receiver as the source', 'source', withSource(RECEIVER.sid)],
  ['a changed open block', 'block', flipped(sealed(), PREFIX_BYTES)],
  ['a changed tag of the open block', 'block', flipped(sealed(), -1)],
  ['an open block under counter 1', 'block', sealed({ before: 1 })],
  ['an open block bound to kid and salt alone', 'block', sealed({ aad: (p) => p.subarray(0, 24) })],
  [
    'sent before the slot of the kid and the one before it',
    'time',
    sentAt((SLOT - 1) * PERIOD_MS - 1),
  ],
  ['sent after the slot of the kid and the one after it', 'time', sentAt((SLOT + 2) * PERIOD_MS)],
  ...BAD_BLOCKS.map(([name, block]) => [name, 'block', sealed({ block })] as const),
];

export const refusedOpeningVectors = (): Vector[] => [
  ...[(SLOT - 1) * PERIOD_MS, (SLOT + 2) * PERIOD_MS - 1].map(timely),
  ...refusals().map(([name, stage, bytes]) => refused(name, stage, bytes)),
];

/** The first and the last moment at which an opening may have been sent. */
function timely(sentMs: number): Vector {
  const opening = sentAt(sentMs);
  if (tryOpening(rings.receiver, rings.sources, opening).kind !== 'opened')
    throw new Error('refused');
  return {
    name: `sent ${sentMs - SENT_MS} ms from the middle of the slot`,
    compute: 'readOpening',
    given: { ...contextUnder(ALGORITHM), opening },
    expect: { block: shown({ ...BLOCK, sentMs }) },
  };
}

function refused(name: string, stage: Stage, opening: Buffer): Vector {
  const attempt = tryOpening(rings.receiver, rings.sources, opening);
  if (attempt.kind !== 'noise' || attempt.stage !== stage) {
    throw new Error(`${name}: ${JSON.stringify(attempt.kind)}, not ${stage}`);
  }
  return {
    name,
    compute: 'readOpening',
    given: { ...contextUnder(ALGORITHM), opening },
    refused: `6.2 step ${STEPS[stage]}`,
  };
}
