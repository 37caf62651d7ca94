// A second reader of PROTOCOL, made from its text alone: it imports nothing of the product, and so tells
// whether the text suffices. Here the rows of its section 13 come together, and a vector is judged by them.
import { isDeepStrictEqual } from 'node:util';
import { blockRows } from './blocks.ts';
import { chainRows } from './chains.ts';
import { documentRows } from './documents.ts';
import { frameRows } from './frames.ts';
import { laneRows } from './lanes.ts';
import { maidRows } from './maid.ts';
import { membershipRows } from './membership.ts';
import { messageRows } from './messages.ts';
import { openingRows } from './openings.ts';
import { Refused } from './refused.ts';
import { replyRows } from './replies.ts';
import { sealedRows } from './sealed.ts';
import { secretRows } from './secrets.ts';
import { statementRows } from './statements.ts';
import { Given, type JsonObject, type Rows, type Vector } from './vectors.ts';

/** How each row of the table in PROTOCOL 13 is computed. */
export const ROWS: Rows = {
  ...statementRows,
  ...documentRows,
  ...membershipRows,
  ...messageRows,
  ...chainRows,
  ...sealedRows,
  ...secretRows,
  ...blockRows,
  ...openingRows,
  ...replyRows,
  ...frameRows,
  ...laneRows,
  ...maidRows,
};

/** What the reader makes of a vector. */
export interface Outcome {
  readonly expect: JsonObject | undefined;
  readonly refused: string | undefined;
}

/** What the reader makes of a vector; `why` is for people. A row that it does not have throws TypeError. */
export function recompute({ compute, given, expect }: Vector): Outcome & { readonly why: string } {
  const row = ROWS[compute];
  if (row === undefined) throw new TypeError(`no row ${compute}`);
  try {
    return { expect: row(new Given(given), expect ?? {}), refused: undefined, why: '' };
  } catch (cause) {
    if (!(cause instanceof Refused)) throw cause;
    return { expect: cause.kept, refused: cause.section, why: cause.message };
  }
}

/** Whether the reader makes of a vector what the vector says. */
export function agrees(vector: Vector): boolean {
  const { expect, refused } = recompute(vector);
  return isDeepStrictEqual({ expect, refused }, { expect: vector.expect, refused: vector.refused });
}
