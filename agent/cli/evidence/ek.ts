// `tidelock evidence ek`: judges the certificate of a TPM's endorsement or attestation key under the roots
// that the reader trusts. It reads files and prints; the judgement is attest/ekJudge.ts.
import { resolve } from 'node:path';
import { readAuthorities } from '#agent/cli/roots.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { parseEkCertificate } from '#attest/ek.ts';
import { judgeEk } from '#attest/ekJudge.ts';
import { parseInput } from './input.ts';
import { printJudged } from './judged.ts';
import { readMoment } from './moment.ts';

const MAX_FILE_BYTES = 64 << 10;

/** `tidelock evidence ek`. */
export const evidenceEk = defineVerb({
  name: 'evidence ek',
  operands: { form: '<certificate>', min: 1, max: 1 },
  flags: {
    roots: {
      type: 'string',
      value: 'DIR|BUNDLE',
      required: true,
      help: 'roots and intermediates: a directory of PEM and DER files, or a bundle',
    },
    at: { type: 'string', value: 'TIME', help: 'judge as of then; now by default' },
  },
  about:
    'Judges the certificate of a TPM’s endorsement key (or attestation key, as Google Cloud issues them): PEM, DER, or the contents of an NV index with its padding. The raw DER is judged as it stands. Ends with 0 for affirming and warning, 3 for contraindicated and none, 4 for what is no certificate. A file named - is standard input.',
  example: 'tidelock evidence ek ek.der --roots ek-roots -o json',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const { cwd } = terminal;
    const atMs = readMoment(flags.at, 'evidence ek');
    const path = operands[0] ?? '';
    const from = { ...terminal, path, what: 'EK certificate' };
    const certificate = await parseInput(from, MAX_FILE_BYTES, parseEkCertificate);
    const { certificates, skipped } = await readAuthorities(resolve(cwd, flags.roots));
    const judged = judgeEk(certificate, certificates, atMs, skipped.length);
    return printJudged(invocation, 'EkEvidence', judged);
  },
});
