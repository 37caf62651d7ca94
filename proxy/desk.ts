// The verification desk: the one place of a data plane that verifies signatures. Each distinct
// signature is verified once, whichever worker asks and however many lanes show it, so that the count
// of asymmetric operations depends on tokens and not on lanes (G1).
import { verifyEd25519 } from '#agent/base/asymmetric.ts';
import { field, hex, sha256, type Bytes } from '#agent/base/bytes.ts';

/** Answers kept; a token lives three slots, so this is room for thousands of workloads a slot. */
const DEFAULT_ANSWERS = 16_384;

export class VerificationDesk {
  /** By digest of key, signature and message; oldest first. */
  readonly #answers = new Map<string, boolean>();
  readonly #maxAnswers: number;

  constructor(maxAnswers = DEFAULT_ANSWERS) {
    this.#maxAnswers = maxAnswers;
  }

  /** Whether `signature` (64 bytes) is the Ed25519 signature of `message` by `key` (32 bytes). */
  verify(key: Bytes, message: Bytes, signature: Bytes): boolean {
    const digest = hex(sha256(field(key), field(signature), message));
    const known = this.#answers.get(digest);
    if (known !== undefined) return known;
    const valid = verifyEd25519(key, message, signature, 'tokens');
    this.#answers.set(digest, valid);
    if (this.#answers.size > this.#maxAnswers) {
      const oldest = this.#answers.keys().next();
      if (oldest.done === false) this.#answers.delete(oldest.value);
    }
    return valid;
  }
}
