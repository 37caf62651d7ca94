// The challenges that a conductor gives (PROTOCOL 3.2), without remembering one: each carries when and for
// whom it was given under a code that only this process can make. So nobody, asking as often as he likes
// in whatever name, uses up memory or the challenge of another. Only answered ones are kept, for a minute.
import { createHmac } from 'node:crypto';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url, concat, equal, fromB64url, utf8 } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';

const TIME_BYTES = 6;
const SALT_BYTES = 10;
const CODE_BYTES = 16;
const KEY_BYTES = 32;

/** A challenge is to be answered within this. */
export const CHALLENGE_MS = 60_000;
/** Answered ones that are remembered; above, the oldest may be answered once more by whoever answered it. */
export const MAX_ANSWERED = 20_000;

export class Challenges {
  readonly #clock: Pick<Clock, 'monoMs'>;
  readonly #random: (lenBytes: number) => Buffer;
  readonly #key: Buffer;
  readonly #answered = new Set<string>();

  constructor(clock: Pick<Clock, 'monoMs'>, random: (lenBytes: number) => Buffer) {
    this.#clock = clock;
    this.#random = random;
    this.#key = random(KEY_BYTES);
  }

  /** A new challenge for `node`: 32 bytes, base64url. */
  give(node: NodeName): string {
    const time = Buffer.alloc(TIME_BYTES);
    time.writeUIntBE(Math.floor(this.#clock.monoMs()), 0, TIME_BYTES);
    const said = concat(time, this.#random(SALT_BYTES));
    return b64url(concat(said, this.#code(said, node)));
  }

  /** Whether `challenge` was given to `node` less than a minute ago; true once. */
  answer(challenge: string, node: NodeName): boolean {
    const bytes = fromB64url(challenge);
    const said = bytes.subarray(0, TIME_BYTES + SALT_BYTES);
    if (b64url(bytes) !== challenge || bytes.length !== said.length + CODE_BYTES) return false;
    if (!equal(bytes.subarray(said.length), this.#code(said, node))) return false;
    const ageMs = this.#clock.monoMs() - said.readUIntBE(0, TIME_BYTES);
    if (ageMs >= CHALLENGE_MS || this.#answered.has(challenge)) return false;
    const oldest = this.#answered.values().next();
    if (this.#answered.size >= MAX_ANSWERED && !oldest.done) this.#answered.delete(oldest.value);
    this.#answered.add(challenge);
    return true;
  }

  #code(said: Buffer, node: NodeName): Buffer {
    const hmac = createHmac('sha256', this.#key).update(said).update(utf8(node));
    return hmac.digest().subarray(0, CODE_BYTES);
  }
}
