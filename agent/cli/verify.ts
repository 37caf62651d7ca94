// `tidelock verify`: judges an attestation report offline, on any machine: no root, no TPM, no agent,
// no network. It says claim by claim what was checked, what was not, and why.
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { readReport } from '#agent/report/file.ts';
import { refusalOf, verificationOf, verificationText } from '#agent/report/verification.ts';
import { errorText, printResult } from './output.ts';
import { judgeReport, TERMS_FLAGS, termsOf } from './reportTerms.ts';
import { defineVerb } from './verb.ts';

/** `tidelock verify`. */
export const verify = defineVerb({
  name: 'verify',
  operands: { form: '<file>', min: 1, max: 1 },
  flags: TERMS_FLAGS,
  about:
    'Checks an attestation report offline and says claim by claim what was checked, what was not and why. Ends with 0 for the verdicts affirming and warning, 3 for contraindicated and none, 4 for what is no report. A report is judged as of now, and counts as long as the owners’ policy lets an attestation count; one from an archive is judged as of its signing with --at issued. Without --owner nothing links the signing key to a TPM, so that the verdict is none at best; one owner must have signed both the enrolment and the policy in it.',
  example:
    'tidelock verify node-a.json --owner owner/owner.pub --roots ek-roots\ntidelock verify node-a.json --owner owner/owner.pub --at issued -o json',
  run: async (invocation) => {
    const { flags, operands, output, terminal } = invocation;
    const terms = await termsOf('verify', { flags, terminal });
    const appraisal = judgeReport(
      await readReport(resolve(terminal.cwd, operands[0] ?? '')),
      terms,
    );
    const verification = verificationOf(appraisal, terms.owners);
    printResult(invocation, 'Verification', verification, verificationText(appraisal));
    const refusal = refusalOf(appraisal);
    if (refusal === undefined) return EXIT.ok;
    if (output === 'text') terminal.err(`${errorText(refusal)}\n`); // JSON carries it already
    return refusal.exitCode;
  },
});
