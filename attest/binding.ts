// How a quote is bound to a challenge and to the keys of the agent that asked for it (PROTOCOL 2).
import { concat, fromHex, sha256, utf8, type Bytes } from '#agent/base/bytes.ts';

export interface Challenge {
  /** Hex of 32 bytes: hash of the newest record; before the first, of the owner-signed policy. */
  readonly basis: string;
  /** 32 bytes. */
  readonly random: Bytes;
}

/**
 * The extraData of the quote, 32 bytes: SHA-256("tidelock/evidence/v1" || challenge ||
 * SHA-256(statement)), challenge being SHA-256(basis || random). All fields have fixed lengths.
 */
export function qualifyingData({ basis, random }: Challenge, statementHash: Bytes): Buffer {
  const challenge = sha256(fromHex(basis), random);
  return sha256(concat(utf8('tidelock/evidence/v1'), challenge, statementHash));
}
