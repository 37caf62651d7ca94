// Whether a shown MAID is genuine (PROTOCOL 9), asked on every lane and verified once: answers are
// kept by digest, so that the signatures verified depend on tokens and not on lanes (G1).
import { Buffer } from 'node:buffer';
import type { Bytes } from '#agent/base/bytes.ts';
import { sha256Of } from '#proxy/native/sha256.ts';
import { readMaid, type MaidToken, type SignatureCheck } from './maid.ts';

/** A worker's own share of workloads and slots; beyond it the oldest answers are asked for again. */
const MAX_ANSWERS = 8192;

export type MaidAnswer =
  | { readonly kind: 'genuine'; readonly token: MaidToken }
  | { readonly kind: 'refused'; readonly reason: 'bad-token' | 'bad-endorsement' };

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

export class MaidDesk {
  readonly #verify: Verify;
  /** Oldest first. */
  readonly #answers = new Map<string, MaidAnswer>();
  readonly #waiting = new Map<string, Waiter[]>();

  constructor(verify: Verify) {
    this.#verify = verify;
  }

  /** Judges a token and endorsement under the node key of the statement that showed them. */
  judge(token: Bytes, endorsement: Bytes, nodeKey: Bytes, waiter: Waiter): void {
    // The key is part of the question: shown under another statement, a token is another matter.
    const digest = sha256Of(lengthsOf(nodeKey, token), nodeKey, token, endorsement).toString(
      'latin1',
    );
    const known = this.#answers.get(digest);
    if (known) {
      waiter(known);
      return;
    }
    const waiting = this.#waiting.get(digest);
    if (waiting) {
      waiting.push(waiter);
      return;
    }
    this.#waiting.set(digest, [waiter]);
    this.#ask(Buffer.from(token), Buffer.from(endorsement), nodeKey, (answer) =>
      this.#conclude(digest, answer),
    );
  }

  #ask(token: Bytes, endorsement: Bytes, nodeKey: Bytes, conclude: Waiter): void {
    const read = readMaid(token, endorsement, nodeKey);
    if (!read) {
      conclude({ kind: 'refused', reason: 'bad-token' });
      return;
    }
    const [ofNode, ofWorkload] = read.checks;
    this.#verify(ofNode, (endorsed) => {
      if (!endorsed) {
        conclude({ kind: 'refused', reason: 'bad-endorsement' });
        return;
      }
      this.#verify(ofWorkload, (valid) =>
        conclude(
          valid ? { kind: 'genuine', token: read.token } : { kind: 'refused', reason: 'bad-token' },
        ),
      );
    });
  }

  #conclude(digest: string, answer: MaidAnswer): void {
    this.#answers.set(digest, answer);
    const oldest = this.#answers.size > MAX_ANSWERS ? this.#answers.keys().next().value : undefined;
    if (oldest !== undefined) this.#answers.delete(oldest);
    const waiting = this.#waiting.get(digest) ?? [];
    this.#waiting.delete(digest);
    for (const waiter of waiting) waiter(answer);
  }
}
