// The verification desk: the one place of a data plane that verifies signatures. Each distinct
// signature is verified once, whichever worker asks and however many lanes show it, so that the count
// of asymmetric operations depends on tokens and not on lanes (G1).
import { verifyEd25519 } from '#agent/base/asymmetric.ts';
import { field, hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { Recent } from './recent.ts';

/** Answers kept; a token lives three slots, so this is room for thousands of workloads a slot. */
const DEFAULT_ANSWERS = 16_384;

/** False ones are kept apart, and as few: only who means no good makes many. */
const MAX_FALSE = 1024;

export class VerificationDesk {
  /** By digest of key, signature and message. */
  readonly #valid: Recent<true>;
  readonly #false = new Recent<true>(MAX_FALSE);

  constructor(maxAnswers = DEFAULT_ANSWERS) {
    this.#valid = new Recent(maxAnswers);
  }

  /** Whether `signature` (64 bytes) is the Ed25519 signature of `message` by `key` (32 bytes). */
  verify(key: Bytes, message: Bytes, signature: Bytes): boolean {
    const digest = hex(sha256(field(key), field(signature), message));
    if (this.#valid.get(digest)) return true;
    if (this.#false.get(digest)) return false;
    const valid = verifyEd25519(key, message, signature, 'tokens');
    (valid ? this.#valid : this.#false).set(digest, true);
    return valid;
  }
}
