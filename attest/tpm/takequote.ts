// The verb that quotes. What comes back is handed on unread; attest/quote.ts is the only judge.
import { readFile } from 'node:fs/promises';
import { hex, type Bytes } from '#agent/base/bytes.ts';
import { handleText } from './ak.ts';
import type { HashName } from './algorithms.ts';
import { selectionText } from './pcrread.ts';
import type { Sequence } from './sequence.ts';

export interface QuoteRequest {
  readonly bank: HashName;
  readonly pcrs: readonly number[];
  /** 32 bytes. */
  readonly qualifyingData: Bytes;
}

export interface Quote {
  /** TPMS_ATTEST. */
  readonly message: Buffer;
  /** TPMT_SIGNATURE. */
  readonly signature: Buffer;
}

/** TPM2_Quote (Part 3 18.4) by the AK at `handle`. Errors: TPM_COMMAND, TPM_UNREACHABLE. */
export async function takeQuote(
  sequence: Sequence,
  handle: number,
  { bank, pcrs, qualifyingData }: QuoteRequest,
): Promise<Quote> {
  const message = sequence.path('quote.msg');
  const signature = sequence.path('quote.sig');
  const question = ['-l', selectionText(bank, pcrs), '-q', hex(qualifyingData), '-g', 'sha256'];
  const outputs = ['-m', message, '-s', signature, '-f', 'tss'];
  await sequence.tool('quote', '-c', handleText(handle), ...question, ...outputs);
  return { message: await readFile(message), signature: await readFile(signature) };
}
