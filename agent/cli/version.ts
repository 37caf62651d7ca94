// `tidelock version`: which code this is and what it runs on.
import { EXIT } from '#agent/base/codes.ts';
import { VERSION } from '#agent/version.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock version`. */
export const version = defineVerb({
  name: 'version',
  flags: {},
  about: 'Shows the version of tidelock and of the Node.js that runs it.',
  example: 'tidelock version -o json',
  run: async (invocation) => {
    const node = process.versions.node;
    printResult(
      invocation,
      'Version',
      { version: VERSION, node },
      `tidelock ${VERSION} (node ${node})`,
    );
    return EXIT.ok;
  },
});
