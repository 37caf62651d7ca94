// The program behind `npm run vectors`.
import { EXIT } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { runOneVerb } from '#agent/cli/commandLine.ts';
import { printResult } from '#agent/cli/output.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { noVectors } from '#attest/testdata/vectors.ts';
import { agreementOf, agreementText } from './agreement.ts';
import { readTruths } from './truth.ts';

const vectors = defineVerb({
  name: '',
  flags: {},
  about:
    'Runs every shared attestation vector through the verbs of the product and compares with what is true of it. Ends with 3 when there is a disagreement that no fault in the data explains.',
  example: 'npm run -s vectors\nnpm run -s vectors -- -o json',
  run: async (invocation) => {
    if (noVectors !== undefined) {
      throw new TidelockError('FILE_UNREADABLE', {
        op: 'vectors.read',
        message: `Cannot read the attestation vectors: ${noVectors}`,
        hint: 'They stand beside the checkout, in shared/vectors; this verb is run from its top.',
      });
    }
    const folders = await agreementOf(readTruths());
    printResult(invocation, 'VectorAgreement', { folders }, agreementText(folders));
    const unexplained = folders
      .flatMap(({ disagreements }) => disagreements)
      .filter(({ fault }) => fault === undefined);
    return unexplained.length === 0 ? EXIT.ok : EXIT.notVerified;
  },
});

const argv = process.argv.slice(2);
process.exitCode = await runOneVerb(vectors, argv, processTerminal(), 'npm run vectors --');
