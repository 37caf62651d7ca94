// `tidelock verify`: judges an attestation report offline, on any machine: no root, no TPM, no agent,
// no network. It says claim by claim what was checked, what was not, and why.
import { resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { readOwnerKey } from '#agent/owner.ts';
import { earOfReport } from '#agent/report/ear.ts';
import { replaceFile } from '#agent/replaceFile.ts';
import { readReport } from '#agent/report/file.ts';
import { refusalOf, verificationOf, verificationText } from '#agent/report/verification.ts';
import { usage } from './arguments.ts';
import { errorText, printResult } from './output.ts';
import { outFile } from './outFile.ts';
import { judgeReport, TERMS_FLAGS, termsOf } from './reportTerms.ts';
import { defineVerb, type Flags } from './verb.ts';

const FLAGS = {
  ...TERMS_FLAGS,
  ear: {
    type: 'string',
    value: 'FILE',
    help: 'write what was found as an attestation result (EAR, a JSON Web Token), over what is there',
  },
  sign: { type: 'string', value: 'KEY', help: 'owner.key of whoever vouches for that result' },
} as const satisfies Flags;

/** `tidelock verify`. */
export const verify = defineVerb({
  name: 'verify',
  operands: { form: '<file>', min: 1, max: 1 },
  flags: FLAGS,
  about:
    'Checks an attestation report offline and says claim by claim what was checked, what was not and why. Ends with 0 for the verdicts affirming and warning, 3 for contraindicated and none, 4 for what is no report. A report is judged as of now, and counts as long as the owners’ policy lets an attestation count; one from an archive is judged as of its signing with --at issued. Without --owner nothing links the signing key to a TPM, so that the verdict is none at best; one owner must have signed both the enrolment and the policy in it. With --ear the verdict, whatever it is, is written for other relying parties, signed by the key of whoever verifies here.',
  example:
    'tidelock verify node-a.json --owner owner/owner.pub --roots ek-roots\ntidelock verify node-a.json --owner owner/owner.pub --at issued -o json\ntidelock verify node-a.json --owner owner/owner.pub --ear node-a.jwt --sign auditor/owner.key',
  run: async (invocation) => {
    const { flags, operands, output, terminal } = invocation;
    if ((flags.ear === undefined) !== (flags.sign === undefined)) {
      throw usage('verify', '--ear and --sign go together: a result is worth its signature');
    }
    const earFile = flags.ear && (await outFile(terminal.cwd, flags.ear));
    const terms = await termsOf('verify', { flags, terminal });
    const signer = flags.sign && (await readOwnerKey(resolve(terminal.cwd, flags.sign)));
    const appraisal = judgeReport(
      await readReport(resolve(terminal.cwd, operands[0] ?? '')),
      terms,
    );
    if (earFile && signer) {
      const token = earOfReport(appraisal, signer, systemClock.wallMs());
      await replaceFile(earFile, `${token}\n`);
    }
    const verification = verificationOf(appraisal, terms.owners);
    printResult(invocation, 'Verification', verification, verificationText(appraisal));
    const refusal = refusalOf(appraisal);
    if (refusal === undefined) return EXIT.ok;
    if (output === 'text') terminal.err(`${errorText(refusal)}\n`); // JSON carries it already
    return refusal.exitCode;
  },
});
