// The flags by which a person says under what a report is to be judged, the same for every verb that
// judges one, and the judgement itself.
import { resolve } from 'node:path';
import { systemClock } from '#agent/base/clock.ts';
import type { Bytes } from '#agent/base/bytes.ts';
import type { Moment } from '#attest/reportAge.ts';
import { verifyReport, type ReportAppraisal, type ReportQuestion } from '#attest/reportVerify.ts';
import { usage } from './arguments.ts';
import { readOwners, readSignedPolicy } from './policyFiles.ts';
import { readAuthorities } from './roots.ts';
import type { Terminal } from './terminal.ts';
import type { Flags, FlagValues } from './verb.ts';

/** Whom and what the reader trusts, and which moment it asks about. */
export const TERMS_FLAGS = {
  owner: {
    type: 'strings',
    value: 'FILE',
    help: 'owner.pub that the reader trusts; may be repeated',
  },
  roots: {
    type: 'string',
    value: 'DIR|BUNDLE',
    help: 'roots and intermediates of TPM makers: a directory of PEM and DER, or a bundle',
  },
  reference: {
    type: 'string',
    value: 'POLICY',
    help: 'reference policy of such an owner, in place of what was enrolled',
  },
  at: {
    type: 'string',
    value: 'TIME',
    help: 'judge it as of now (the default), issued (when it was signed) or 2026-01-31T12:00:00Z',
  },
} as const satisfies Flags;

type ReportTerms = Pick<ReportQuestion, 'owners' | 'authorities' | 'reference' | 'at'>;

/** Errors: USAGE, OWNER_KEY_INVALID, FILE_UNREADABLE. */
export async function termsOf(
  verb: string,
  {
    flags,
    terminal,
  }: { readonly flags: FlagValues<typeof TERMS_FLAGS>; readonly terminal: Terminal },
): Promise<ReportTerms> {
  const { cwd } = terminal;
  const owners = await readOwners(cwd, flags.owner);
  return {
    owners,
    authorities:
      flags.roots === undefined
        ? undefined
        : (await readAuthorities(resolve(cwd, flags.roots))).certificates,
    reference:
      flags.reference === undefined
        ? undefined
        : await readSignedPolicy(cwd, flags.reference, owners),
    at: momentOf(verb, flags.at ?? 'now'),
  };
}

/** Judges the bytes of a report. Errors: DOCUMENT_MALFORMED. */
export const judgeReport = (bytes: Bytes, terms: ReportTerms): ReportAppraisal =>
  verifyReport({ ...terms, bytes, nowMs: systemClock.wallMs() });

/** RFC 3339 with seconds optional: a moment that means the same to every reader. */
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/;

function momentOf(verb: string, text: string): Moment {
  if (text === 'now' || text === 'issued') return text;
  const atMs = MOMENT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(atMs)) return atMs;
  throw usage(
    verb,
    `--at is ${JSON.stringify(text.slice(0, 80))} and must be now, issued or a time such as 2026-01-31T12:00:00Z`,
  );
}
