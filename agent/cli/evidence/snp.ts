// `tidelock evidence snp`: judges an attestation report of AMD SEV-SNP, offline. It reads files and prints;
// attest/snp/ judges.
import type { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readOwners } from '#agent/cli/policyFiles.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { guestPolicy } from '#attest/policy/guest.ts';
import { malformed } from '#attest/cursor.ts';
import { readCertificates } from '#attest/snp/certificates.ts';
import { readSnpPolicy } from '#attest/snp/policy.ts';
import { verifySnpReport } from '#attest/snp/verify.ts';
import { parseCrl, type RevocationList } from '#attest/x509/crl.ts';
import { parseInput } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';

const VERB = 'evidence snp';
const CERTIFICATE_FILE = /\.(?:der|pem|crt|cer)$/;
const MAX_CHAIN_FILES = 64;
/** A report and four pages of certificates are under 24 KiB. */
const MAX_REPORT_BYTES = 64 << 10;
const MAX_CHAIN_BYTES = 64 << 10;
const MAX_CRL_BYTES = 1 << 20;
const MAX_POLICY_BYTES = 1 << 20;

/** `tidelock evidence snp`. */
export const evidenceSnp = defineVerb({
  name: VERB,
  operands: { form: '<report>', min: 1, max: 1 },
  flags: {
    vek: {
      type: 'string',
      value: 'FILE',
      help: 'certificate of the VCEK or VLEK, PEM or DER; the chain may follow it',
    },
    chain: {
      type: 'strings',
      value: 'FILE|DIR',
      help: 'ASK or ASVK and ARK, PEM or DER, as AMD’s cert_chain, or a directory of them; may be repeated',
    },
    crl: {
      type: 'strings',
      value: 'FILE',
      help: 'AMD’s revocation list of the product, DER; may be repeated',
    },
    policy: {
      type: 'string',
      value: 'FILE',
      help: 'reference values, floors and flags, JSON; or a reference policy with a section snp',
    },
    owner: {
      type: 'strings',
      value: 'FILE',
      help: 'owner.pub that may have signed a reference policy; may be repeated',
    },
    at: {
      type: 'string',
      value: 'TIME',
      help: 'judge it as of this time, 2026-01-31T12:00:00Z or Unix seconds; now by default',
    },
  },
  about:
    'Checks an SEV-SNP attestation report, versions 2 to 5, alone or with the certificate table of an extended report: form, signature, chain up to AMD’s own root, chip and TCB of the key, debug mode, and what the policy asks for. Without a policy the verdict is warning at best: nothing says what the guest should be. A file named - is standard input.',
  example:
    'tidelock evidence snp report.bin --vek vcek.der --chain cert_chain.pem\ntidelock evidence snp report.bin --vek vcek.der --chain cert_chain.pem --policy snp-policy.json -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const from = (path: string, what: string) => ({ ...terminal, path, what });
    const atMs = readMoment(flags.at, VERB);
    const certificates: X509Certificate[] = [];
    const chain = await Promise.all(
      flags.chain.map((path) => filesAt(resolve(terminal.cwd, path))),
    );
    for (const path of [flags.vek ?? [], ...chain].flat()) {
      const what = 'certificates';
      const read = (bytes: Buffer) => readCertificates(bytes, what);
      certificates.push(...(await parseInput(from(path, what), MAX_CHAIN_BYTES, read)));
    }
    const revocationLists: RevocationList[] = [];
    for (const path of flags.crl) {
      const list = from(path, 'revocation list');
      revocationLists.push(await parseInput(list, MAX_CRL_BYTES, parseCrl));
    }
    const owners = await readOwners(terminal.cwd, flags.owner);
    const policy =
      flags.policy === undefined
        ? undefined
        : await parseInput(from(flags.policy, 'SNP policy'), MAX_POLICY_BYTES, (bytes) =>
            readSnpPolicy(guestPolicy(bytes, 'snp', owners)),
          );
    const judged = await parseInput(
      from(operands[0] ?? '', 'SNP report'),
      MAX_REPORT_BYTES,
      (report) => verifySnpReport({ report, certificates, revocationLists, policy, atMs }),
    );
    return printJudged(invocation, 'SnpEvidence', judged);
  },
});

/** The certificate files of a directory; any other path by itself. Errors: EVIDENCE_MALFORMED over 64. */
async function filesAt(path: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch {
    return [path]; // a file, or nothing at all: reading it tells
  }
  const files = names.filter((name) => CERTIFICATE_FILE.test(name)).sort();
  if (files.length > MAX_CHAIN_FILES) throw malformed(path, `${files.length} certificate files`);
  return files.map((name) => join(path, name));
}
