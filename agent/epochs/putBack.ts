// What a node has put on the bus in its own name is looked at again (PROTOCOL 3.7): where the bus has lost it, or
// somebody put something else in its place, it is put there once more.
import { canonical, type Json } from '#agent/base/jcs.ts';
import type { Log } from '#agent/log.ts';

/** One thing that a node keeps on the bus. */
export interface OwnStored {
  /** For people: `evidence`. */
  readonly what: string;
  /** As it was put. */
  readonly value: Json;
  /** What is there now; undefined: nothing, or the bus does not answer. */
  readonly read: () => Promise<unknown>;
  /** False: it could not be put there. */
  readonly put: () => Promise<boolean>;
}

/** Puts it there again where something else is there, or nothing. Never throws. */
export async function putBack({ what, value, read, put }: OwnStored, log: Log): Promise<void> {
  const found = await read();
  if (isSame(found, value) || !(await put()) || found === undefined) return;
  const text = `something else stood on the bus in place of this node's ${what}: put back`;
  log.warn('own.put-back', { what, text });
}

function isSame(found: unknown, value: Json): boolean {
  if (found === undefined) return false;
  try {
    return canonical(found as Json) === canonical(value);
  } catch {
    return false; // deeper than anything that a node puts there, or no text
  }
}
