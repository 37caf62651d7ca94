// To which key a member's secrets are sealed now: the one-use key of its last presence, read from the bus when
// something is to be sealed (PROTOCOL 3.9, 4.5), so that who conducts need not hear every node in every slot.
import { fromB64url } from '#agent/base/bytes.ts';
import type { Bus } from './bus.ts';
import { openPresence, type Presence } from './presence.ts';
import type { Recipient } from './sealed.ts';
import type { Statement } from './statement.ts';
import type { Subjects } from './subjects.ts';

/** A member that has withdrawn its statement is sealed nothing. */
export type SealKey = Recipient | { readonly withdrawn: string };

export class SealKeys {
  readonly #bus: Pick<Bus, 'last'>;
  readonly #subjects: Subjects;

  constructor(bus: Pick<Bus, 'last'>, subjects: Subjects) {
    this.#bus = bus;
    this.#subjects = subjects;
  }

  /** From the presence under this statement, or the statement's first key where it has not spoken yet. */
  async of(statement: Statement): Promise<SealKey> {
    const { node, sid, seal } = statement;
    const subjects = this.#subjects;
    const last = await this.#bus.last(subjects.streams.presence, subjects.presence(node));
    const said = presenceIn(last, statement);
    if (said?.withdrawn !== undefined) return { withdrawn: said.withdrawn };
    return { node, sid, seal: said ? fromB64url(said.nextSeal) : seal };
  }
}

/** What a node says under this very statement, if `document` is that. */
export function presenceIn(document: unknown, statement: Statement): Presence | undefined {
  try {
    const presence = openPresence(document, statement.sign);
    return presence.node === statement.node && presence.sid === statement.sid
      ? presence
      : undefined;
  } catch {
    return undefined; // under another statement, or nobody's
  }
}
