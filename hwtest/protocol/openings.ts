// Vectors of whole openings (PROTOCOL 6.1) as the source seals them and the receiver opens them, with the
// frames that follow at once. What is refused of them is in refusedOpenings.ts.
import { chipsAlgorithm } from '#proxy/chips/registry.ts';
import { sealOpening, tryOpening } from '#proxy/laneOpening.ts';
import { FRAME } from '#proxy/see/frames.ts';
import {
  MODE,
  PREFIX_BYTES,
  encodeBlock,
  openHeader,
  type Mode,
  type OpenBlock,
} from '#proxy/see/opening.ts';
import { BLOCK, BLOCKS, CANARY, TO_IPV6, shown } from './blocks.ts';
import { seed } from './cast.ts';
import type { Sent } from './frames.ts';
import { chainUnder, contextUnder, ringsUnder, sendingOf } from './ring.ts';
import type { Vector } from './vector.ts';

const data = (text: string, padding = 0): Sent => ({
  type: FRAME.data,
  data: Buffer.from(text),
  padding,
});
const FIN: Sent = { type: FRAME.fin, data: Buffer.alloc(0), padding: 0 };

/** One of each AEAD. */
const SUITES = [1, 18, 40];
const EARLY = [[], [data('GET / HTTP/1.1\r\n\r\n')], [data('a'), data('bc', 13), FIN]];

export function openingVectors(): Vector[] {
  const suites = SUITES.flatMap((algorithm) =>
    [BLOCK, { ...BLOCK, destination: TO_IPV6 }].flatMap((block) =>
      EARLY.map((frames) => {
        const name = `${chipsAlgorithm(algorithm)?.aead} to ${block.destination.address}, ${frames.length} frames`;
        return openingVector({ name, algorithm, mode: MODE.tunnel, block, frames });
      }),
    ),
  );
  const blocks = BLOCKS.filter(([, block]) => block !== CANARY).map(([name, block]) =>
    openingVector({ name, algorithm: 1, mode: MODE.tunnel, block, frames: [] }),
  );
  const canary = { mode: MODE.canary, block: CANARY, frames: [data('x'.repeat(64))] };
  const car = { mode: MODE.car, block: BLOCK, frames: [] };
  const canaryWithToken = { ...canary, block: { ...CANARY, token: BLOCK.token } };
  return [
    ...suites,
    ...blocks,
    openingVector({ name: 'a canary', algorithm: 17, ...canary }),
    // Mode 2 is not served, and a canary that names anything is none (PROTOCOL 8).
    openingVector({ name: 'a car', algorithm: 1, ...car, code: 5 }),
    openingVector({ name: 'a canary with a token', algorithm: 1, ...canaryWithToken, code: 5 }),
  ];
}

function openingVector({
  name,
  algorithm,
  mode,
  block,
  frames,
  code,
}: {
  readonly name: string;
  readonly algorithm: number;
  readonly mode: Mode;
  readonly block: OpenBlock;
  readonly frames: readonly Sent[];
  /** What the reply to it says, where that follows from the opening alone. */
  readonly code?: number;
}): Vector {
  const rings = ringsUnder(chainUnder(algorithm));
  const sending = sendingOf(rings);
  const salt = seed(`salt of ${name}`, 16);
  const opening = sealOpening(sending, block, salt, mode);
  const sealed = frames.map((frame) =>
    Buffer.from(opening.sealer.frame(frame.type, frame.data, frame.padding)),
  );
  const attempt = tryOpening(rings.receiver, rings.sources, opening.bytes);
  if (attempt.kind !== 'opened') throw new Error(`${name} does not open`);
  const header = openHeader(sending.headerKey, opening.bytes.subarray(0, PREFIX_BYTES))?.plain;
  return {
    name,
    compute: 'opening',
    given: {
      ...contextUnder(algorithm),
      mode,
      salt,
      block: shown(block),
      frames: frames.map((f) => ({ ...f })),
    },
    expect: {
      kid: sending.kid,
      headerKey: sending.headerKey,
      header,
      ls: opening.ls,
      transcript: opening.transcript,
      early: opening.secret,
      block: encodeBlock(block),
      opening: opening.bytes,
      frames: sealed,
      code,
    },
  };
}
