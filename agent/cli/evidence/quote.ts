// `tidelock evidence quote`: judges a TPM quote, offline. It reads files and prints; attest/quote/ judges.
import type { X509Certificate } from 'node:crypto';
import { usage } from '#agent/cli/arguments.ts';
import { readOwners, readSignedPolicy } from '#agent/cli/policyFiles.ts';
import type { Terminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { MAX_IMA_LIST_BYTES } from '#attest/ima/list.ts';
import { parseHclReport } from '#attest/quote/hcl.ts';
import type { HclEvidence } from '#attest/quote/hclCheck.ts';
import { judgeQuote, type QuoteEvidence } from '#attest/quote/judge.ts';
import { readAttestationKey } from '#attest/quote/key.ts';
import { readPcrBanks } from '#attest/quote/pcrs.ts';
import { readCertificates } from '#attest/snp/certificates.ts';
import { readSnpPolicy } from '#attest/snp/policy.ts';
import { BANK_FLAG, bankFlag } from './bankFlag.ts';
import { hexFlag } from './hexFlag.ts';
import { readInput } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';

const VERB = 'evidence quote';
/** A TPMS_ATTEST of a quote is below 200 bytes, an RSA 4096 signature below 600. */
const MAX_TPM_BYTES = 16 << 10;
const MAX_KEY_BYTES = 64 << 10;
/** NV index 0x01400001 has 2,600 bytes. */
const MAX_HCL_BYTES = 64 << 10;
const MAX_POLICY_BYTES = 1 << 20;
const MAX_LOG_BYTES = 2 << 20;
const MAX_PCRS_BYTES = 64 << 10;

/** `tidelock evidence quote`. */
export const evidenceQuote = defineVerb({
  name: VERB,
  flags: {
    message: { type: 'string', value: 'FILE', required: true, help: 'TPMS_ATTEST' },
    signature: {
      type: 'string',
      value: 'FILE',
      required: true,
      help: 'TPMT_SIGNATURE, or a plain RSA or DER ECDSA signature',
    },
    ak: {
      type: 'string',
      value: 'FILE',
      help: 'attestation key: TPM2B_PUBLIC or TPMT_PUBLIC; or PEM, DER, JWK, a certificate',
    },
    'ak-name': { type: 'string', value: 'HEX', help: 'Name that the key must have' },
    nonce: {
      type: 'string',
      value: 'HEX',
      mayBeEmpty: true,
      help: 'what extraData must be; without one the quote may be of any age, which fails',
    },
    pcrs: {
      type: 'string',
      value: 'FILE',
      required: true,
      help: 'register values: {"sha256":{"0":"hex"}}, or what tpm2_quote -o wrote',
    },
    bank: { ...BANK_FLAG, help: 'bank that must be quoted; sha256 by default' },
    eventlog: { type: 'string', value: 'FILE', help: 'firmware event log of the boot' },
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
    ima: { type: 'string', value: 'FILE', help: 'IMA list, ascii or binary; may have grown since' },
    hcl: {
      type: 'string',
      value: 'FILE',
      help: 'HCL report of an Azure machine, which vouches for the key and can stand for --ak',
    },
    vek: {
      type: 'strings',
      value: 'FILE',
      help: 'certificates of the SNP report in --hcl: VCEK, ASK, ARK; may be repeated',
    },
    'snp-policy': {
      type: 'string',
      value: 'FILE',
      help: 'what is asked of that SNP report: the --policy of `evidence snp`',
    },
    at: {
      type: 'string',
      value: 'TIME',
      help: 'when certificates and reference policy must be valid; now by default',
    },
  },
  about:
    'Checks a TPM quote: signature and key, that it is a quote of the right bank and registers, that it answers the nonce, and that the register values are those of the TPM; then replays the event log and the IMA list against them. An empty nonce is never fresh. With --reference the boot is held against an owner’s reference policy; without, the values are compared with nothing.',
  example:
    'tidelock evidence quote --message quote.msg --signature quote.sig --ak ak.tpm2b_public --nonce "$(cat nonce.hex)" --pcrs pcrs.json\ntidelock evidence quote --message quote.msg --signature quote.sig --ak ak.pem --nonce "$(cat nonce.hex)" --pcrs pcrs.json --eventlog binary_bios_measurements --ima ascii_runtime_measurements -o json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const bank = bankFlag(VERB, flags.bank);
    const nonce = flags.nonce ? hexFlag(VERB, 'nonce', flags.nonce) : Buffer.alloc(0);
    const name = flags['ak-name'];
    const akName = name === undefined ? undefined : hexFlag(VERB, 'ak-name', name);
    const read: Read = (path, what, maxBytes) =>
      readInput({ cwd: terminal.cwd, path, what }, maxBytes);
    const readAny = async (path: string | undefined, what: string, maxBytes: number) =>
      path === undefined ? undefined : read(path, what, maxBytes);
    const hcl = await hclOf(invocation, read);
    const ak =
      flags.ak && readAttestationKey(await read(flags.ak, 'attestation key', MAX_KEY_BYTES));
    const { attest, ...judged } = judgeQuote({
      message: await read(flags.message, 'quote message', MAX_TPM_BYTES),
      signature: await read(flags.signature, 'quote signature', MAX_TPM_BYTES),
      key: ak || hcl?.report.key || noKey(),
      akName,
      nonce,
      bank,
      pcrs: readPcrBanks(await read(flags.pcrs, 'PCR values', MAX_PCRS_BYTES)),
      reference: await referenceOf(invocation),
      eventLog: await readAny(flags.eventlog, 'event log', MAX_LOG_BYTES),
      imaList: await readAny(flags.ima, 'IMA list', MAX_IMA_LIST_BYTES),
      hcl,
    });
    return printJudged(invocation, 'QuoteEvidence', judged, { attest });
  },
});

type Read = (path: string, what: string, maxBytes: number) => Promise<Buffer>;

async function hclOf(
  { flags }: { readonly flags: HclFlags },
  read: Read,
): Promise<HclEvidence | undefined> {
  if (flags.hcl === undefined) return undefined;
  const report = parseHclReport(await read(flags.hcl, 'HCL report', MAX_HCL_BYTES));
  const certificates: X509Certificate[] = [];
  for (const path of flags.vek) {
    const what = 'certificates';
    certificates.push(...readCertificates(await read(path, what, MAX_KEY_BYTES), what));
  }
  const path = flags['snp-policy'];
  const policy =
    path === undefined
      ? undefined
      : readSnpPolicy(await read(path, 'SNP policy', MAX_POLICY_BYTES));
  return { report, certificates, policy, atMs: readMoment(flags.at, VERB) };
}

interface HclFlags {
  readonly hcl: string | undefined;
  readonly vek: readonly string[];
  readonly 'snp-policy': string | undefined;
  readonly at: string | undefined;
}

function noKey(): never {
  throw usage(VERB, '--ak FILE is missing, and no --hcl stands for it');
}

interface ReferenceFlags {
  readonly reference: string | undefined;
  readonly owner: readonly string[];
  readonly at: string | undefined;
}

async function referenceOf({
  flags,
  terminal: { cwd },
}: {
  readonly flags: ReferenceFlags;
  readonly terminal: Pick<Terminal, 'cwd'>;
}): Promise<QuoteEvidence['reference']> {
  if (flags.reference === undefined) return undefined;
  const policy = await readSignedPolicy(cwd, flags.reference, await readOwners(cwd, flags.owner));
  return { policy, atMs: readMoment(flags.at, VERB) };
}
