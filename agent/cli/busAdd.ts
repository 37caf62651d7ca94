// `tidelock bus add`: credentials for nodes that come to a bus later. Its servers need not be told.
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { addNodes } from '#agent/busAuthority/directory.ts';
import { usage } from './arguments.ts';
import { nodesOf } from './busInit.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

const MAX_NODES = 10_000;

/** `tidelock bus add`. */
export const busAdd = defineVerb({
  name: 'bus add',
  operands: { form: '<node>...', min: 1, max: MAX_NODES },
  flags: {
    dir: { type: 'string', value: 'DIR', help: 'what bus init made; ./bus by default' },
  },
  about:
    'Makes credentials by which nodes log in to a bus that bus init has made. Servers know them without being told. Overwrites nothing.',
  example: 'tidelock bus add node-b node-c --dir bus',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const { nodes, wrong } = nodesOf(operands);
    if (wrong.length > 0) throw usage('bus add', wrong.join('; '));
    const credentials = await addNodes(resolve(terminal.cwd, flags.dir ?? 'bus'), nodes);
    const lines = credentials.map((file) => `wrote ${file}`);
    printResult(invocation, 'BusAdd', { credentials }, lines.join('\n'));
    return EXIT.ok;
  },
});
