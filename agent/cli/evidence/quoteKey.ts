// The flags of `tidelock evidence quote` that say which key must have signed, and who vouches for that
// key: an authority, as on Google Cloud, or hardware, as on Azure. It reads files; it judges nothing.
import type { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { usage } from '#agent/cli/arguments.ts';
import { readAuthorities } from '#agent/cli/roots.ts';
import type { Terminal } from '#agent/cli/terminal.ts';
import type { Flags, FlagValues } from '#agent/cli/verb.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import type { AkCertificate } from '#attest/quote/akCertificate.ts';
import { parseHclReport } from '#attest/quote/hcl.ts';
import type { HclEvidence } from '#attest/quote/hclCheck.ts';
import { readAttestationKey, type AttestationKey } from '#attest/quote/key.ts';
import { readCertificates } from '#attest/snp/certificates.ts';
import { readSnpPolicy } from '#attest/snp/policy.ts';
import { parseInput, type Input } from './input.ts';
import { readMoment } from './moment.ts';

const MAX_KEY_BYTES = 64 << 10;
/** NV index 0x01400001 has 2,600 bytes. */
const MAX_HCL_BYTES = 64 << 10;
const MAX_POLICY_BYTES = 1 << 20;

export const KEY_FLAGS = {
  ak: {
    type: 'string',
    value: 'FILE',
    help: 'attestation key: TPM2B_PUBLIC or TPMT_PUBLIC; or PEM, DER, JWK, a certificate',
  },
  'ak-cert': {
    type: 'string',
    value: 'FILE',
    help: 'certificate of the key, which can stand for --ak; needs --roots',
  },
  roots: {
    type: 'string',
    value: 'DIR|BUNDLE',
    help: 'roots and intermediates that --ak-cert must chain to',
  },
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
} as const satisfies Flags;

export interface QuoteKey {
  readonly key: AttestationKey;
  readonly certificate: AkCertificate | undefined;
  readonly hcl: HclEvidence | undefined;
}

interface Given {
  readonly flags: FlagValues<typeof KEY_FLAGS>;
  readonly terminal: Terminal;
}

/** Errors: USAGE, naming `verb`, FILE_UNREADABLE, EVIDENCE_MALFORMED, POLICY_INVALID. */
export async function readQuoteKey(verb: string, given: Given): Promise<QuoteKey> {
  const { ak } = given.flags;
  const certificate = await certificateOf(verb, given);
  const hcl = await hclOf(verb, given);
  const vouchedFor =
    certificate === undefined ? hcl?.report.key : readAttestationKey(certificate.certificate.der);
  const key =
    ak === undefined
      ? vouchedFor
      : await parseInput(from(given, ak, 'attestation key'), MAX_KEY_BYTES, readAttestationKey);
  if (key !== undefined) return { key, certificate, hcl };
  throw usage(verb, '--ak FILE is missing, and neither --ak-cert nor --hcl stands for it');
}

async function certificateOf(verb: string, given: Given): Promise<AkCertificate | undefined> {
  const { 'ak-cert': path, roots, at } = given.flags;
  if (path === undefined) return undefined;
  if (roots === undefined) throw usage(verb, '--ak-cert needs --roots');
  const file = from(given, path, 'AK certificate');
  const certificate = await parseInput(file, MAX_KEY_BYTES, parseEkCertificate);
  const { certificates } = await readAuthorities(resolve(given.terminal.cwd, roots));
  return { certificate, authorities: certificates, atMs: readMoment(at, verb) };
}

async function hclOf(verb: string, given: Given): Promise<HclEvidence | undefined> {
  const { hcl, vek, 'snp-policy': path, at } = given.flags;
  if (hcl === undefined) return undefined;
  const report = await parseInput(from(given, hcl, 'HCL report'), MAX_HCL_BYTES, parseHclReport);
  const certificates: X509Certificate[] = [];
  for (const file of vek) {
    const what = 'certificates';
    const read = (bytes: Buffer) => readCertificates(bytes, what);
    certificates.push(...(await parseInput(from(given, file, what), MAX_KEY_BYTES, read)));
  }
  const policy =
    path === undefined
      ? undefined
      : await parseInput(from(given, path, 'SNP policy'), MAX_POLICY_BYTES, readSnpPolicy);
  return { report, certificates, policy, atMs: readMoment(at, verb) };
}

const from = ({ terminal }: Given, path: string, what: string): Input => ({
  ...terminal,
  path,
  what,
});
