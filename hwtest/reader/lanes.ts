// PROTOCOL 7.3 over a whole lane: its opening, its reply, and both streams of frames under the secrets
// that KEYUPDATE leads to. What the frames carry is no matter of it.
import { hex, truncate } from './bytes.ts';
import { algorithmOf, tick, updateOf } from './chains.ts';
import { FIN, frameJson, FrameReader, readKeyUpdate, type KeyUpdate } from './frames.ts';
import { readOpening } from './openings.ts';
import { refuse, Refused } from './refused.ts';
import { readReply } from './replies.ts';
import { c2sOf, nextSecretOf, s2cOf } from './secrets.ts';
import { endOf } from './statements.ts';
import type { Given, JsonObject, Rows } from './vectors.ts';

const REPLY_BYTES = 80;
const KEYUPDATE = 4;
const REPEATS_MAX = 4;

/** A chain in a slot, under the id that a KEYUPDATE names it by. */
interface Chain {
  readonly chainId: string;
  readonly suite: number;
  readonly slot: number;
  readonly chain: Uint8Array;
  /** The newest slot that a receiver takes. */
  readonly newest: number;
}

const chainOf = (given: Given, timeMs: number): Chain => ({
  chainId: given.text('chainId'),
  suite: algorithmOf(given.number('algorithm')).suite,
  slot: given.number('slot'),
  chain: given.bytes('chain'),
  newest: Math.floor(timeMs / given.number('periodMs')) + 1,
});

/** The update of a chain in a slot, not before the one that it is given in. */
function updateIn({ chain, slot, newest }: Chain, named: number): Uint8Array {
  if (named < slot || named > newest) refuse('7.3', 'a strange slot');
  let present = chain;
  for (let at = slot; at < named; at += 1) present = tick(present, at);
  return updateOf(present);
}

/** Two statements that a KEYUPDATE of one direction may name, sids in hex, and their pair. */
interface Statements {
  readonly ownSid: string;
  readonly peerSid: string;
  readonly pair: Uint8Array;
}

/** How a direction begins; `accepted` is the secret that kind 0 leads to, where it is due. */
interface Beginning {
  readonly bytes: Uint8Array;
  readonly secret: Uint8Array;
  readonly accepted?: Uint8Array;
  readonly statements: readonly Statements[];
}

/** One direction of a lane, from the first frame on. */
class Direction {
  readonly #reader: FrameReader;
  readonly #chains: readonly Chain[];
  readonly #statements: readonly Statements[];
  readonly #frames: JsonObject[] = [];
  readonly #secrets: string[] = [];
  #accepted: Uint8Array | undefined;
  #suite: number;
  #secret: Uint8Array;
  #last: KeyUpdate | undefined;
  #repeats = 0;

  constructor(chains: readonly Chain[], suite: number, beginning: Beginning) {
    this.#reader = new FrameReader(beginning.bytes);
    this.#chains = chains;
    this.#statements = beginning.statements;
    this.#accepted = beginning.accepted;
    this.#suite = suite;
    this.#secret = beginning.secret;
    this.#use(1);
  }

  /** What was read so far, as vectors expect it. */
  get json(): { readonly frames: readonly JsonObject[]; readonly secrets: readonly string[] } {
    return { frames: this.#frames, secrets: this.#secrets };
  }

  /** Reads to the end; what ends the lane is refused. */
  read(): void {
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      if (frame.type === KEYUPDATE) this.#update(readKeyUpdate(frame.data));
      else this.#frames.push(frameJson(frame));
      if (frame.type === FIN && !this.#reader.isAtEnd) refuse('7.1', 'a byte behind a FIN');
    }
  }

  /** The next frame is under the present secret and counter `first`. */
  #use(first: number): void {
    this.#secrets.push(hex(this.#secret));
    this.#reader.rekey(this.#suite, this.#secret, first);
  }

  #update(named: KeyUpdate | undefined): void {
    if (named === undefined) {
      this.#secret = this.#accepted ?? refuse('7.3', 'kind 0 that is not due');
      this.#accepted = undefined;
    } else {
      if (this.#accepted !== undefined) refuse('7.3', 'kind 1 before kind 0');
      this.#countRepeats(named);
      this.#mix(named);
    }
    this.#use(0);
  }

  #mix(named: KeyUpdate): void {
    const chain = this.#chains.find(({ chainId }) => chainId === named.chainId);
    const statements = this.#statements.find(
      ({ ownSid, peerSid }) => ownSid === named.ownSid && peerSid === named.peerSid,
    );
    if (chain === undefined) refuse('7.3', 'a strange chain');
    if (statements === undefined) refuse('7.3', 'strange statements');
    this.#suite = chain.suite;
    this.#secret = nextSecretOf(updateIn(chain, named.slot), this.#secret, statements.pair);
  }

  #countRepeats(named: KeyUpdate): void {
    this.#repeats = isSame(named, this.#last) ? this.#repeats + 1 : 0;
    this.#last = named;
    if (this.#repeats > REPEATS_MAX) refuse('7.3', 'the same keys too often');
  }
}

const isSame = (a: KeyUpdate, b: KeyUpdate | undefined): boolean =>
  a.chainId === b?.chainId && a.slot === b.slot && a.ownSid === b.ownSid && a.peerSid === b.peerSid;

/** The directions of a lane that source has opened and receiver accepted. */
function directionsOf(given: Given): { readonly client: Direction; readonly server: Direction } {
  const source = endOf(given.object('source'));
  const receiver = endOf(given.object('receiver'));
  const chains = given.objects('chains');
  const [first] = chains;
  if (first === undefined) throw new TypeError('a lane without a chain');
  const { suite } = algorithmOf(first.number('algorithm'));
  const opening = readOpening(
    {
      domain: given.text('domain'),
      cluster: given.text('cluster'),
      source,
      receiver,
      pair: given.bytes('pair'),
      chain: first.bytes('chain'),
      suite,
      periodMs: first.number('periodMs'),
      slot: first.number('slot'),
    },
    given.bytes('client'),
  );
  const server = given.bytes('server');
  const { ls, transcript } = opening;
  const { replySalt, code } = readReply({ suite, ls, transcript }, truncate(REPLY_BYTES, server));
  if (code !== 0) refuse('6.3', 'a denial');

  const renewed = given.object('renewed');
  const [mine, peer] = [hex(receiver.sid), hex(source.sid)];
  const named = [
    { client: peer, server: mine, pair: given.bytes('pair') },
    { client: renewed.text('sid'), server: mine, pair: renewed.bytes('pair') },
  ];
  const timeMs = given.number('timeMs');
  const all = chains.map((each) => chainOf(each, timeMs));
  return {
    client: new Direction(all, suite, {
      bytes: opening.behind,
      secret: opening.early,
      accepted: c2sOf(ls, transcript, replySalt),
      statements: named.map((each) => ({ ...each, ownSid: each.client, peerSid: each.server })),
    }),
    server: new Direction(all, suite, {
      bytes: server.slice(REPLY_BYTES),
      secret: s2cOf(ls, transcript, replySalt),
      statements: named.map((each) => ({ ...each, ownSid: each.server, peerSid: each.client })),
    }),
  };
}

/** The row of a whole lane. */
export const laneRows: Rows = {
  readLane: (given) => {
    const { client, server } = directionsOf(given);
    try {
      server.read();
      client.read();
    } catch (cause) {
      if (!(cause instanceof Refused)) throw cause;
      throw new Refused(cause.section, cause.message, {
        client: { frames: client.json.frames },
        server: { frames: server.json.frames },
      });
    }
    return { client: client.json, server: server.json };
  },
};
