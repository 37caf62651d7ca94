// This node's own statements: the one it speaks under, and older ones that peers may still address.
import type { Sid } from '#agent/base/brands.ts';
import type { Chain } from './keeper.ts';
import type { Members } from './members.ts';
import type { PeerState } from './peers.ts';
import { newestFirst, type Order } from './record.ts';
import type { OwnStatement } from './statement.ts';

/** One of this node's statements, and the first record that listed it. */
export interface OwnListed {
  readonly own: OwnStatement;
  listedBy: Order | undefined;
}

export class OwnStatements {
  /** Newest first. */
  #all: OwnListed[] = [];

  /** All of them, newest first: a peer may learn of one before this node hears that it was listed. */
  get addressable(): readonly OwnListed[] {
    return this.#all;
  }

  /** Those that a record listed, newest first: this node speaks under one of these. */
  get listed(): readonly OwnListed[] {
    return this.#all.filter(({ listedBy }) => listedBy !== undefined);
  }

  /** The statement of this sid, listed or not. */
  find(sid: Sid): OwnStatement | undefined {
    return this.#all.find(({ own }) => own.statement.sid === sid)?.own;
  }

  isListed(own: OwnStatement): boolean {
    return this.listed.some((each) => each.own === own);
  }

  /** Whether a roster lists any of them. */
  isIn(roster: Members): boolean {
    return this.#all.some(({ own }) => lists(roster, own));
  }

  add(own: OwnStatement): void {
    if (this.find(own.statement.sid) === undefined) this.#all.unshift({ own, listedBy: undefined });
  }

  /** Notes which of them the roster of a record lists; where it lists none, the listed ones are void. */
  follow(roster: Members, record: Order): void {
    if (!this.isIn(roster)) this.forgetListed();
    for (const each of this.#all) if (lists(roster, each.own)) each.listedBy ??= record;
  }

  /** Drops every listed statement: what is drawn next stands alone. */
  forgetListed(): void {
    this.#all = this.#all.filter(({ listedBy }) => listedBy === undefined);
  }

  /** Drops what every accepted peer has moved on from, and what was issued before `oldestMs`. */
  settle(inEffect: readonly Chain[], peers: readonly PeerState[], oldestMs: number): void {
    const listedBy = this.listed[0]?.listedBy;
    if (!listedBy) return;
    const since = inEffect.filter((chain) => newestFirst(chain, listedBy) <= 0);
    const behind = peers.some(
      ({ accepted, confirmed }) =>
        accepted.length > 0 && !since.some(({ id }) => confirmed.has(id)),
    );
    // What was drawn before the newest listed one, though this node never saw it listed: peers may have.
    const newest = this.#all.findIndex((each) => each.listedBy !== undefined);
    this.#all = this.#all.filter(
      ({ own }, place) => place <= newest || (behind && own.statement.issuedAtMs >= oldestMs),
    );
  }
}

const lists = (roster: Members, { statement: { node, sid } }: OwnStatement): boolean =>
  roster.get(node)?.sid === sid;
