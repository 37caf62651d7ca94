// The program behind `npm run protocol-vectors`.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { runOneVerb } from '#agent/cli/commandLine.ts';
import { printResult } from '#agent/cli/output.ts';
import { processTerminal } from '#agent/cli/terminal.ts';
import { defineVerb } from '#agent/cli/verb.ts';
import { FOLDER } from './documents.ts';
import { vectorFiles } from './files.ts';

const protocolVectors = defineVerb({
  name: '',
  flags: {},
  about:
    'Writes the test vectors of proxy/PROTOCOL.md, section 13, into proxy/vectors. It is run from the top of a checkout; what git then shows as changed is a change of the protocol.',
  example: 'npm run -s protocol-vectors',
  run: async (invocation) => {
    const files = await vectorFiles();
    for (const [name, text] of files) writeFileSync(join(FOLDER, name), text);
    const names = [...files.keys()];
    printResult(invocation, 'ProtocolVectors', { folder: FOLDER, files: names }, names.join('\n'));
    return EXIT.ok;
  },
});

const argv = process.argv.slice(2);
process.exitCode = await runOneVerb(
  protocolVectors,
  argv,
  processTerminal(),
  'npm run protocol-vectors --',
);
