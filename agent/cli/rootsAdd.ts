// `tidelock roots add`: puts certificates of TPM makers into a bundle and notes where they came from. It
// refuses what could never vouch for anything; whether the maker is to be trusted is for its user.
import { resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import { EXIT } from '#agent/base/codes.ts';
import { hasCode, TidelockError } from '#agent/base/errors.ts';
import { replaceFile } from '#agent/replaceFile.ts';
import { authorityFacts, type Authority } from '#attest/roots/authority.ts';
import { makeBundle } from '#attest/roots/bundle.ts';
import { checkAuthorities } from '#attest/roots/check.ts';
import { outFile } from './outFile.ts';
import { printResult } from './output.ts';
import { countedAuthorities, readAuthorities } from './roots.ts';
import { defineVerb } from './verb.ts';

const MAX_FILES = 1000;

/** `tidelock roots add`. */
export const rootsAdd = defineVerb({
  name: 'roots add',
  operands: { form: '<file>...', min: 1, max: MAX_FILES },
  flags: {
    bundle: { type: 'string', value: 'OUT', required: true, help: 'bundle to make or to add to' },
    source: {
      type: 'string',
      value: 'TEXT',
      required: true,
      help: 'where the files came from: a URL, or words that an auditor can follow',
    },
  },
  about:
    'Adds certificates (PEM, DER, bundles or directories of them) to a roots bundle, made when it is not there. What is in it already stays as it is, with its first source. Certificates of no authority are refused.',
  example:
    'tidelock roots add stmtpmeccroot.crt --bundle ek-roots.json --source https://secure.globalsign.com/stmtpmeccroot.crt',
  run: async (invocation) => {
    const { flags, operands, terminal } = invocation;
    const file = await outFile(terminal.cwd, flags.bundle);
    const nowMs = systemClock.wallMs();
    const before = await authoritiesIn(file);
    const added: Authority[] = [];
    const unread: string[] = [];
    for (const path of operands) {
      const { authorities, skipped } = await readAuthorities(resolve(terminal.cwd, path));
      unread.push(...skipped);
      added.push(...authorities.map((authority) => withSource(authority, flags.source)));
    }
    refuseUseless(added, nowMs);
    const bundle = makeBundle([...before, ...added], nowMs);
    const known = new Set(before.map(({ certificate }) => certificate.fingerprint256));
    const fresh = new Map(
      added
        .filter(({ certificate }) => !known.has(certificate.fingerprint256))
        .map(({ certificate }) => [certificate.fingerprint256, authorityFacts(certificate)]),
    );
    await replaceFile(file, `${JSON.stringify(bundle, null, 2)}\n`);
    const names = [...fresh.values()];
    const lines = [
      ...names.map(({ role, name, vendor }) => `added ${role} ${name} (${vendor})`),
      ...unread.map((text) => `not read: ${text}`),
    ];
    const count = `wrote ${file}: ${countedAuthorities(bundle.roots)}, ${names.length} new`;
    const document = { file, total: bundle.roots.length, added: names, skipped: unread };
    printResult(invocation, 'RootsAdded', document, [...lines, count].join('\n'));
    return EXIT.ok;
  },
});

/** A bundle that is not there yet holds nothing. */
async function authoritiesIn(file: string): Promise<readonly Authority[]> {
  try {
    return (await readAuthorities(file)).authorities;
  } catch (error) {
    if (error instanceof TidelockError && hasCode(error.cause, 'ENOENT')) return [];
    throw error;
  }
}

/** An entry of another bundle keeps the source that it has there. */
const withSource = (authority: Authority, source: string): Authority =>
  authority.addedAtMs === undefined ? { ...authority, source } : authority;

function refuseUseless(added: readonly Authority[], nowMs: number): void {
  const useless = checkAuthorities(added, nowMs).filter(({ severity }) => severity === 'error');
  if (useless.length === 0) return;
  throw new TidelockError('USAGE', {
    op: 'roots.add',
    message: `Cannot add to the roots: ${useless.map(({ text }) => text).join(' ')}`,
    hint: 'Nothing was changed. Give certificates of authorities, not of TPMs.',
  });
}
