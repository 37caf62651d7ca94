// Whether a shown MAID is genuine (PROTOCOL 9), asked on every lane and verified once: answers are
// kept by digest, so that the signatures verified depend on tokens and not on lanes (G1). What one peer
// invents costs the others neither the verifier's time nor their answers.
import { Buffer } from 'node:buffer';
import type { NodeName } from '#agent/base/brands.ts';
import type { Clock } from '#agent/base/clock.ts';
import type { Bytes } from '#agent/base/bytes.ts';
import { sha256Of } from '#proxy/native/sha256.ts';
import { readMaid, type MaidToken, type ReadMaid, type SignatureCheck } from './maid.ts';
import { NewMaids } from './newMaids.ts';
import { Recent } from './recent.ts';

/** A worker's own share of workloads and slots; beyond it the oldest answers are asked for again. */
const MAX_ANSWERS = 8192;
/** Kept apart: only who means no good makes many. */
const MAX_REFUSED = 512;

export type MaidAnswer =
  | { readonly kind: 'genuine'; readonly token: MaidToken }
  | { readonly kind: 'refused'; readonly reason: 'bad-token' | 'bad-endorsement' }
  /** Its peer shows more that are not known than are verified for one. */
  | { readonly kind: 'busy' };

/** A token and endorsement, who showed them, and the node key of the statement that it showed them under. */
export interface ShownMaid {
  readonly peer: NodeName;
  readonly token: Bytes;
  readonly endorsement: Bytes;
  readonly nodeKey: Bytes;
}

/** Verifies one Ed25519 signature, now or later. */
export type Verify = (check: SignatureCheck, answer: (valid: boolean) => void) => void;

const lengths = Buffer.alloc(8);
/** So that no two questions have the same bytes; valid until the next call. */
function lengthsOf(nodeKey: Bytes, token: Bytes): Buffer {
  lengths.writeUInt32BE(nodeKey.length, 0);
  lengths.writeUInt32BE(token.length, 4);
  return lengths;
}

type Waiter = (answer: MaidAnswer) => void;

const MALFORMED: MaidAnswer = { kind: 'refused', reason: 'bad-token' };

export class MaidDesk {
  readonly #verify: Verify;
  readonly #genuine = new Recent<MaidAnswer>(MAX_ANSWERS);
  readonly #refused = new Recent<MaidAnswer>(MAX_REFUSED);
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #new: NewMaids;

  constructor(verify: Verify, clock: Pick<Clock, 'monoMs'>) {
    this.#verify = verify;
    this.#new = new NewMaids(clock);
  }

  judge({ peer, token, endorsement, nodeKey }: ShownMaid, waiter: Waiter): void {
    // The key is part of the question: shown under another statement, a token is another matter.
    const digest = sha256Of(lengthsOf(nodeKey, token), nodeKey, token, endorsement).toString(
      'latin1',
    );
    const known = this.#genuine.get(digest) ?? this.#refused.get(digest);
    if (known) {
      waiter(known);
      return;
    }
    const waiting = this.#waiting.get(digest);
    if (waiting) {
      waiting.push(waiter);
      return;
    }
    const maid = readMaid(Buffer.from(token), Buffer.from(endorsement), nodeKey);
    if (!maid) {
      waiter(MALFORMED); // cheaper to see again than to keep
      return;
    }
    if (!this.#new.take(peer)) {
      waiter({ kind: 'busy' });
      return;
    }
    this.#waiting.set(digest, [waiter]);
    this.#ask(maid, (answer) => {
      this.#new.done(peer);
      this.#conclude(digest, answer);
    });
  }

  #ask({ token, checks: [ofNode, ofWorkload] }: ReadMaid, conclude: Waiter): void {
    this.#verify(ofNode, (endorsed) => {
      if (!endorsed) {
        conclude({ kind: 'refused', reason: 'bad-endorsement' });
        return;
      }
      this.#verify(ofWorkload, (valid) =>
        conclude(valid ? { kind: 'genuine', token } : { kind: 'refused', reason: 'bad-token' }),
      );
    });
  }

  #conclude(digest: string, answer: MaidAnswer): void {
    (answer.kind === 'genuine' ? this.#genuine : this.#refused).set(digest, answer);
    const waiting = this.#waiting.get(digest) ?? [];
    this.#waiting.delete(digest);
    for (const waiter of waiting) waiter(answer);
  }
}
