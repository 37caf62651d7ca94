// `tidelock roots check`: what is wrong with the authorities in a directory or bundle.
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { counted } from '#agent/base/counted.ts';
import { checkAuthorities } from '#attest/roots/check.ts';
import { readMoment } from '#agent/cli/evidence/moment.ts';
import { printResult } from './output.ts';
import { countedAuthorities, readAuthorities } from './roots.ts';
import { defineVerb } from './verb.ts';

/** `tidelock roots check`. */
export const rootsCheck = defineVerb({
  name: 'roots check',
  flags: {
    roots: {
      type: 'string',
      value: 'DIR|BUNDLE',
      required: true,
      help: 'a directory of PEM and DER files, or a bundle',
    },
    at: { type: 'string', value: 'TIME', help: 'check as of then; now by default' },
  },
  about:
    'Says what is wrong with roots and intermediates of TPM makers: expired or soon to expire, no authority, a bad signature of their own, weak, twice there, or without a root. Ends with 0 unless one of them could never vouch for anything, or there is none: then with 3.',
  example: 'tidelock roots check --roots ek-roots.json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const atMs = readMoment(flags.at, 'roots check');
    const { authorities, skipped } = await readAuthorities(resolve(terminal.cwd, flags.roots));
    const findings = checkAuthorities(authorities, atMs);
    const unread = skipped.map((text) => `not read: ${text}`);
    const lines = findings.map(
      ({ severity, code, text }) => `${severity.padEnd(7)}  ${code.padEnd(18)}  ${text}`,
    );
    const count = `${countedAuthorities(authorities)}, ${counted(findings.length, 'finding')}`;
    const document = { authorities: authorities.length, findings, skipped };
    printResult(invocation, 'RootsCheck', document, [...lines, ...unread, count].join('\n'));
    return findings.some(({ severity }) => severity === 'error') ? EXIT.notVerified : EXIT.ok;
  },
});
