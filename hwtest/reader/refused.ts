// What the reader must not accept: the section of PROTOCOL that forbids it, and why. It decides
// nothing: each noun refuses by itself.

import type { JsonObject } from './vectors.ts';

/** The reader was given what `section` of PROTOCOL forbids; `kept` is what counts all the same. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly section: string;
  readonly kept: JsonObject | undefined;

  constructor(section: string, why: string, kept?: JsonObject) {
    super(why);
    this.section = section;
    this.kept = kept;
  }
}

/** Throws Refused. */
export function refuse(section: string, why: string): never {
  throw new Refused(section, why);
}

/** What `read` returns; what it refuses is refused under `section` instead. */
export function refusedUnder<T>(section: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof Refused)) throw cause;
    return refuse(section, cause.message);
  }
}
