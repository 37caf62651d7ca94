// `tidelock evidence quote`: judges a TPM quote, offline. It reads files and prints; attest/quote/ judges.
import { readOwners, readSignedPolicy } from '#agent/cli/policyFiles.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { MAX_IMA_LIST_BYTES } from '#attest/ima/list.ts';
import { judgeQuote } from '#attest/quote/judge.ts';
import { readPcrBanks } from '#attest/quote/pcrs.ts';
import { parseAttest, unsizedAttest } from '#attest/tpm/attest.ts';
import { BANK_FLAG, bankFlag } from './bankFlag.ts';
import { hexFlag } from './hexFlag.ts';
import { parseInput, readInput, type Input } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';
import { KEY_FLAGS, readQuoteKey } from './quoteKey.ts';

const VERB = 'evidence quote';
/** A TPMS_ATTEST of a quote is below 200 bytes, an RSA 4096 signature below 600. */
const MAX_TPM_BYTES = 16 << 10;
const MAX_PCRS_BYTES = 64 << 10;
const MAX_LOG_BYTES = 2 << 20;

/** `tidelock evidence quote`. */
export const evidenceQuote = defineVerb({
  name: VERB,
  flags: {
    message: { type: 'string', value: 'FILE', required: true, help: 'TPMS_ATTEST or TPM2B_ATTEST' },
    signature: {
      type: 'string',
      value: 'FILE',
      required: true,
      help: 'TPMT_SIGNATURE, or a plain RSA or DER ECDSA signature',
    },
    'ak-name': { type: 'string', value: 'HEX', help: 'Name that the key must have' },
    nonce: {
      type: 'string',
      value: 'HEX',
      mayBeEmpty: true,
      help: 'what extraData must be; without one the quote may be of any age, which fails',
    },
    previous: {
      type: 'string',
      value: 'FILE',
      help: 'TPMS_ATTEST of a quote accepted from this key earlier: the clock must not go back',
    },
    pcrs: {
      type: 'string',
      value: 'FILE',
      required: true,
      help: 'register values: {"sha256":{"0":"hex"}}, or what tpm2_quote -o wrote',
    },
    bank: { ...BANK_FLAG, help: 'bank that must be quoted; sha256 by default' },
    eventlog: { type: 'string', value: 'FILE', help: 'firmware event log of the boot' },
    ima: { type: 'string', value: 'FILE', help: 'IMA list, ascii or binary; may have grown since' },
    reference: {
      type: 'string',
      value: 'POLICY',
      help: 'reference policy that the boot must fit; needs --eventlog and --owner',
    },
    owner: {
      type: 'strings',
      value: 'FILE',
      help: 'owner.pub that may have signed the reference policy; may be repeated',
    },
    ...KEY_FLAGS,
  },
  about:
    'Checks a TPM quote: signature and key, that it is a quote of the right bank and registers, that it answers the nonce, and that the register values are those of the TPM; then replays the event log and the IMA list against them. An empty nonce is never fresh. With --reference the boot is held against an owner’s reference policy; without, the values are compared with nothing, and the verdict is a warning at best. A file named - is standard input.',
  example:
    'tidelock evidence quote --message quote.msg --signature quote.sig --ak ak.tpm2b_public --nonce "$(cat nonce.hex)" --pcrs pcrs.json\ntidelock evidence quote --message quote.msg --signature quote.sig --ak ak.pem --nonce "$(cat nonce.hex)" --pcrs pcrs.json --eventlog binary_bios_measurements --ima ascii_runtime_measurements -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const { cwd } = terminal;
    const bank = bankFlag(VERB, flags.bank);
    const nonce = flags.nonce ? hexFlag(VERB, 'nonce', flags.nonce) : Buffer.alloc(0);
    const name = flags['ak-name'];
    const akName = name === undefined ? undefined : hexFlag(VERB, 'ak-name', name);
    const from = (path: string, what: string): Input => ({ ...terminal, path, what });
    const read = (path: string, what: string, maxBytes: number): Promise<Buffer> =>
      readInput(from(path, what), maxBytes);
    const { previous, eventlog, ima, reference } = flags;
    const { attest, ...judged } = judgeQuote({
      ...(await readQuoteKey(VERB, invocation)),
      message: await parseInput(from(flags.message, 'quote message'), MAX_TPM_BYTES, attestFile),
      signature: await read(flags.signature, 'quote signature', MAX_TPM_BYTES),
      akName,
      nonce,
      previous:
        previous === undefined
          ? undefined
          : await parseInput(from(previous, 'earlier quote'), MAX_TPM_BYTES, attestFile),
      bank,
      pcrs: await parseInput(from(flags.pcrs, 'PCR values'), MAX_PCRS_BYTES, readPcrBanks),
      eventLog:
        eventlog === undefined ? undefined : await read(eventlog, 'event log', MAX_LOG_BYTES),
      imaList: ima === undefined ? undefined : await read(ima, 'IMA list', MAX_IMA_LIST_BYTES),
      reference:
        reference === undefined
          ? undefined
          : {
              policy: await readSignedPolicy(cwd, reference, await readOwners(cwd, flags.owner)),
              atMs: readMoment(flags.at, VERB),
            },
    });
    return printJudged(invocation, 'QuoteEvidence', judged, { attest });
  },
});

/** Two files may be a TPMS_ATTEST: each is read by itself too, which tells the one that is malformed. */
function attestFile(bytes: Buffer): Buffer {
  const attest = unsizedAttest(bytes);
  parseAttest(attest);
  return attest;
}
