// `tidelock report`: fetches a report that the running agent signs for this call, or takes one from a
// file, and prints or writes it: as it was signed, as text, or as a page to read and print.
import { resolve } from 'node:path';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { utf8, type Bytes } from '#agent/base/bytes.ts';
import { EXIT } from '#agent/base/codes.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { canonical } from '#agent/base/jcs.ts';
import { ownersIn, reportAnswerSchema } from '#agent/report/answer.ts';
import { replaceFile } from '#agent/replaceFile.ts';
import { readReport } from '#agent/report/file.ts';
import { reportPage } from '#agent/report/page.ts';
import { verificationText } from '#agent/report/verification.ts';
import { AGENT_FLAGS, askAgentOf } from './agentSocket.ts';
import { usage } from './arguments.ts';
import { outFile } from './outFile.ts';
import { printResult } from './output.ts';
import { judgeReport, TERMS_FLAGS, termsOf } from './reportTerms.ts';
import type { Terminal } from './terminal.ts';
import { defineVerb, type Flags, type FlagValues } from './verb.ts';

const FLAGS = {
  ...AGENT_FLAGS,
  ...TERMS_FLAGS,
  html: { type: 'boolean', help: 'as a page for people, self-contained and printable' },
  out: { type: 'string', value: 'FILE', help: 'write it to a file, over what is there' },
} as const satisfies Flags;

/** `tidelock report`. */
export const report = defineVerb({
  name: 'report',
  operands: { form: '[file]', min: 0, max: 1 },
  flags: FLAGS,
  about:
    'Shows a signed attestation report: of the running agent, which makes one for this call (needs root), or from a file. With -o json and with --out it is the report exactly as signed, to be checked by tidelock verify; with --html it is a page that says what holds. A report of the running agent is judged under the owners which that agent pins, unless --owner names others.',
  example:
    'tidelock report --out node-a.json\ntidelock report --html --out node-a.html\ntidelock report node-a.json --html --at issued --owner owner/owner.pub > node-a.html',
  run: async (invocation) => {
    const { flags, output, terminal, operands } = invocation;
    if (flags.html && output === 'json' && flags.out === undefined) {
      throw usage('report', '--html is no JSON; leave out -o json, or write the page with --out');
    }
    const file = flags.out === undefined ? undefined : await outFile(terminal.cwd, flags.out);
    const terms = await termsOf('report', { flags, terminal });
    const given = await source(operands[0], { flags, terminal });
    const owners = terms.owners.length > 0 ? terms.owners : given.owners;
    const appraisal = judgeReport(given.bytes, { ...terms, owners });
    const signed = Buffer.from(given.bytes).toString();
    const document = flags.html ? reportPage(appraisal, owners) : signed;
    if (file !== undefined) {
      await replaceFile(file, document);
      const { verdict, digest: sha256 } = appraisal;
      const text = `${verdict}; wrote ${file}`;
      printResult(invocation, 'ReportWritten', { file, verdict, report: { sha256 } }, text);
    } else terminal.out(flags.html || output === 'json' ? document : verificationText(appraisal));
    return EXIT.ok;
  },
});

interface Source {
  readonly bytes: Bytes;
  /** Pinned by the agent that gave it. */
  readonly owners: readonly SigningPublic[];
}

/** A file's report, or one that the agent signs now. */
async function source(
  file: string | undefined,
  from: { readonly flags: FlagValues<typeof FLAGS>; readonly terminal: Terminal },
): Promise<Source> {
  if (file !== undefined) {
    return { bytes: await readReport(resolve(from.terminal.cwd, file)), owners: [] };
  }
  const answer = await askAgentOf('report', from, '/report', reportAnswerSchema);
  if (answer.report !== undefined) {
    return { bytes: utf8(`${canonical(answer.report)}\n`), owners: ownersIn(answer) };
  }
  throw new TidelockError('REPORT_UNAVAILABLE', {
    op: 'report.ask',
    message: `Cannot get a report: ${answer.reason ?? 'the agent gave none'}`,
    hint: 'Run tidelock status, which says why the attestation fails; the next round tries again by itself.',
  });
}
