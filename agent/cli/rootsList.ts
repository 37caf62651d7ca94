// `tidelock roots list`: which authorities a directory or bundle holds, and where each came from.
import { resolve } from 'node:path';
import { EXIT } from '#agent/base/codes.ts';
import { authorityFacts } from '#attest/roots/authority.ts';
import { printResult } from './output.ts';
import { countedAuthorities, readAuthorities } from './roots.ts';
import { defineVerb } from './verb.ts';

/** `tidelock roots list`. */
export const rootsList = defineVerb({
  name: 'roots list',
  flags: {
    roots: {
      type: 'string',
      value: 'DIR|BUNDLE',
      required: true,
      help: 'a directory of PEM and DER files, or a bundle',
    },
  },
  about:
    'Lists the roots and intermediates of TPM makers that a directory or a bundle holds, each with its fingerprint, its last day and where it came from. Changes nothing.',
  example: 'tidelock roots list --roots ek-roots.json',
  run: async (invocation) => {
    const { flags, terminal } = invocation;
    const { authorities, skipped } = await readAuthorities(resolve(terminal.cwd, flags.roots));
    const roots = authorities.map(({ certificate, source, addedAtMs }) => ({
      ...authorityFacts(certificate),
      source,
      addedAt: addedAtMs === undefined ? null : new Date(addedAtMs).toISOString(),
    }));
    const lines = roots.map(
      ({ role, sha256, notAfter, vendor, name, source }) =>
        `${role.padEnd(12)}  ${sha256.slice(0, 16)}  ${notAfter.slice(0, 10)}  ${vendor}: ${name}  (${source})`,
    );
    const unread = skipped.map((text) => `not read: ${text}`);
    const count = countedAuthorities(roots);
    printResult(invocation, 'Roots', { roots, skipped }, [...lines, ...unread, count].join('\n'));
    return EXIT.ok;
  },
});
