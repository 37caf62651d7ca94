// A bounded reader over bytes that an outsider made. It never reads past the end, never copies, and
// ends in one EVIDENCE_MALFORMED that names the structure, the offset and what was missing.
import type { Bytes } from '#agent/base/bytes.ts';
import { TidelockError } from '#agent/base/errors.ts';

export class Cursor {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  /** `what` names the structure in errors: `TPMS_ATTEST`, `event log`. */
  constructor(bytes: Bytes, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#what = what;
  }

  get offset(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  u16be(): number {
    return this.take(2).readUInt16BE();
  }

  u32be(): number {
    return this.take(4).readUInt32BE();
  }

  u64be(): bigint {
    return this.take(8).readBigUInt64BE();
  }

  u16le(): number {
    return this.take(2).readUInt16LE();
  }

  u32le(): number {
    return this.take(4).readUInt32LE();
  }

  u64le(): bigint {
    return this.take(8).readBigUInt64LE();
  }

  /** The next `lenBytes` bytes, a view. */
  take(lenBytes: number): Buffer {
    if (lenBytes > this.remaining) {
      this.fail(`${lenBytes} bytes wanted at offset ${this.#at}, ${this.remaining} left`);
    }
    this.#at += lenBytes;
    return this.#bytes.subarray(this.#at - lenBytes, this.#at);
  }

  /** A TPM2B: 2-byte big-endian size, then that many bytes (TPM 2.0 Part 2 10.4). */
  sized(): Buffer {
    return this.take(this.u16be());
  }

  /** Everything that is left, without moving. */
  peekRest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Refuses bytes after the structure. */
  end(): void {
    if (this.remaining > 0) this.fail(`${this.remaining} bytes follow it`);
  }

  /** Errors: EVIDENCE_MALFORMED, always. */
  fail(state: string): never {
    throw malformed(this.#what, state);
  }
}

/** The error of every parser in attest/: `Cannot read <what>: <state>`. */
export function malformed(what: string, state: string, cause?: unknown): TidelockError {
  return new TidelockError('EVIDENCE_MALFORMED', {
    op: 'evidence.parse',
    message: `Cannot read ${what}: ${state}`,
    hint: 'The bytes are not what a TPM, a firmware or a certificate authority writes: truncated, altered, or another kind of file. Collect the evidence again.',
    cause,
  });
}
